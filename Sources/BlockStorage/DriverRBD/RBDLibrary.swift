// SPDX-License-Identifier: Apache-2.0
import BaseKit
import CRBD
import Glibc

/// The functions of librados and librbd that this driver calls, found when it starts. Linking the libraries would cost
/// every process some tens of megabytes, most of which have no Ceph.
struct RBDLibrary: Sendable {
    typealias Pointer = UnsafeMutableRawPointer
    typealias Text = UnsafePointer<CChar>
    typealias Out = UnsafeMutablePointer<Pointer?>

    let create: @convention(c) (Out, Text, Text, UInt64) -> Int32
    let readConfiguration: @convention(c) (Pointer, Text) -> Int32
    let setOption: @convention(c) (Pointer, Text, Text) -> Int32
    let getOption: @convention(c) (Pointer, Text, UnsafeMutablePointer<CChar>, Int) -> Int32
    let connect: @convention(c) (Pointer) -> Int32
    let shutDown: @convention(c) (Pointer) -> Void
    let openPool: @convention(c) (Pointer, Text, Out) -> Int32
    let closePool: @convention(c) (Pointer) -> Void
    let command:
        @convention(c) (
            Pointer, UnsafeMutablePointer<Text?>, Int, Text, Int, UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>,
            UnsafeMutablePointer<Int>, UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, UnsafeMutablePointer<Int>?
        ) -> Int32
    let freeBuffer: @convention(c) (UnsafeMutablePointer<CChar>) -> Void

    let list: @convention(c) (Pointer, UnsafeMutablePointer<rbd_image_spec_t>?, UnsafeMutablePointer<Int>) -> Int32
    let freeList: @convention(c) (UnsafeMutablePointer<rbd_image_spec_t>, Int) -> Void
    let make: @convention(c) (Pointer, Text, UInt64, Pointer) -> Int32
    let clone: @convention(c) (Pointer, Text, Text, Pointer, Text, Pointer) -> Int32
    let makeOptions: @convention(c) (Out) -> Void
    let freeOptions: @convention(c) (Pointer) -> Void
    let remove: @convention(c) (Pointer, Text) -> Int32
    let rename: @convention(c) (Pointer, Text, Text) -> Int32
    let open: @convention(c) (Pointer, Text, Out, Text?) -> Int32
    let close: @convention(c) (Pointer) -> Int32
    let resize: @convention(c) (Pointer, UInt64) -> Int32
    let size: @convention(c) (Pointer, UnsafeMutablePointer<UInt64>) -> Int32
    let madeAt: @convention(c) (Pointer, UnsafeMutablePointer<timespec>) -> Int32
    let flatten: @convention(c) (Pointer) -> Int32
    let parent:
        @convention(c) (
            Pointer, UnsafeMutablePointer<rbd_linked_image_spec_t>, UnsafeMutablePointer<rbd_snap_spec_t>
        ) -> Int32
    let freeParent: @convention(c) (UnsafeMutablePointer<rbd_linked_image_spec_t>) -> Void
    let freeParentSnapshot: @convention(c) (UnsafeMutablePointer<rbd_snap_spec_t>) -> Void
    let children:
        @convention(c) (Pointer, UnsafeMutablePointer<rbd_linked_image_spec_t>?, UnsafeMutablePointer<Int>) -> Int32
    let freeChildren: @convention(c) (UnsafeMutablePointer<rbd_linked_image_spec_t>, Int) -> Void
    let snapshots:
        @convention(c) (Pointer, UnsafeMutablePointer<rbd_snap_info_t>?, UnsafeMutablePointer<Int32>) -> Int32
    let freeSnapshots: @convention(c) (UnsafeMutablePointer<rbd_snap_info_t>) -> Void
    let makeSnapshot: @convention(c) (Pointer, Text) -> Int32
    let removeSnapshot: @convention(c) (Pointer, Text) -> Int32
    let renameSnapshot: @convention(c) (Pointer, Text, Text) -> Int32
    let protectSnapshot: @convention(c) (Pointer, Text) -> Int32
    let unprotectSnapshot: @convention(c) (Pointer, Text) -> Int32
    let rollBack: @convention(c) (Pointer, Text) -> Int32
    let encrypt: @convention(c) (Pointer, rbd_encryption_format_t, Pointer, Int) -> Int32

    /// Throws with the remedy when the libraries are not there.
    static func load() throws -> RBDLibrary {
        let rados = try handle("librados.so.2")
        let rbd = try handle("librbd.so.1")
        return RBDLibrary(
            create: try find("rados_create2", rados), readConfiguration: try find("rados_conf_read_file", rados),
            setOption: try find("rados_conf_set", rados), getOption: try find("rados_conf_get", rados),
            connect: try find("rados_connect", rados), shutDown: try find("rados_shutdown", rados),
            openPool: try find("rados_ioctx_create", rados), closePool: try find("rados_ioctx_destroy", rados),
            command: try find("rados_mon_command", rados), freeBuffer: try find("rados_buffer_free", rados),
            list: try find("rbd_list2", rbd), freeList: try find("rbd_image_spec_list_cleanup", rbd),
            make: try find("rbd_create4", rbd), clone: try find("rbd_clone3", rbd),
            makeOptions: try find("rbd_image_options_create", rbd),
            freeOptions: try find("rbd_image_options_destroy", rbd), remove: try find("rbd_remove", rbd),
            rename: try find("rbd_rename", rbd), open: try find("rbd_open", rbd), close: try find("rbd_close", rbd),
            resize: try find("rbd_resize", rbd), size: try find("rbd_get_size", rbd),
            madeAt: try find("rbd_get_create_timestamp", rbd), flatten: try find("rbd_flatten", rbd),
            parent: try find("rbd_get_parent", rbd), freeParent: try find("rbd_linked_image_spec_cleanup", rbd),
            freeParentSnapshot: try find("rbd_snap_spec_cleanup", rbd), children: try find("rbd_list_children3", rbd),
            freeChildren: try find("rbd_linked_image_spec_list_cleanup", rbd),
            snapshots: try find("rbd_snap_list", rbd), freeSnapshots: try find("rbd_snap_list_end", rbd),
            makeSnapshot: try find("rbd_snap_create", rbd), removeSnapshot: try find("rbd_snap_remove", rbd),
            renameSnapshot: try find("rbd_snap_rename", rbd), protectSnapshot: try find("rbd_snap_protect", rbd),
            unprotectSnapshot: try find("rbd_snap_unprotect", rbd), rollBack: try find("rbd_snap_rollback", rbd),
            encrypt: try find("rbd_encryption_format", rbd))
    }

    private static func handle(_ name: String) throws -> Pointer {
        guard let handle = dlopen(name, RTLD_NOW | RTLD_LOCAL) else {
            throw CloudError(
                .unavailable, "A library of the storage host is missing.",
                cause: "\(dlerror().map { String(cString: $0) } ?? name): install librbd1")
        }
        return handle
    }

    private static func find<Function>(_ name: String, _ library: Pointer) throws -> Function {
        guard let symbol = dlsym(library, name) else {
            throw CloudError(
                .unavailable, "A library of the storage host is too old.",
                cause: "there is no \(name): Ceph 16 or newer")
        }
        // SAFETY: each type above is the one of that function's declaration in Ceph's headers, whose binary interface
        // does not change while the library's name has the same number.
        return unsafeBitCast(symbol, to: Function.self)
    }
}
