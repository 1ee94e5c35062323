// SPDX-License-Identifier: Apache-2.0
import BaseKit
import CRados
import Glibc

/// The functions of librados that this driver calls, found when it starts. Linking the library would cost every process
/// some tens of megabytes, most of which have no Ceph.
struct RadosLibrary: Sendable {
    typealias Pointer = UnsafeMutableRawPointer
    typealias Text = UnsafePointer<CChar>
    typealias Out = UnsafeMutablePointer<Pointer?>
    typealias Texts = UnsafePointer<Text?>
    typealias Result = UnsafeMutablePointer<Int32>

    // The cluster.
    let create: @convention(c) (Out, Text?, Text, UInt64) -> Int32
    let readConfiguration: @convention(c) (Pointer, Text) -> Int32
    let setOption: @convention(c) (Pointer, Text, Text) -> Int32
    let connect: @convention(c) (Pointer) -> Int32
    let shutDown: @convention(c) (Pointer) -> Void
    let openPool: @convention(c) (Pointer, Text, Out) -> Int32
    let closePool: @convention(c) (Pointer) -> Void
    let setNamespace: @convention(c) (Pointer, Text) -> Void
    let setFullTry: @convention(c) (Pointer) -> Void
    let clusterSpace: @convention(c) (Pointer, UnsafeMutablePointer<rados_cluster_stat_t>) -> Int32
    let command:
        @convention(c) (
            Pointer, UnsafeMutablePointer<Text?>, Int, Text, Int, UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>,
            UnsafeMutablePointer<Int>, UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, UnsafeMutablePointer<Int>?
        ) -> Int32
    let freeBuffer: @convention(c) (UnsafeMutablePointer<CChar>) -> Void

    // Bytes.
    let read: @convention(c) (Pointer, Text, UnsafeMutablePointer<CChar>, Int, UInt64) -> Int32
    let status: @convention(c) (Pointer, Text, UnsafeMutablePointer<UInt64>?, UnsafeMutablePointer<time_t>?) -> Int32
    let remove: @convention(c) (Pointer, Text) -> Int32
    let makeCompletion: @convention(c) (Pointer?, Pointer?, Out) -> Int32
    let startWrite: @convention(c) (Pointer, Text, Pointer, Text, Int, UInt64) -> Int32
    let wait: @convention(c) (Pointer) -> Int32
    let answer: @convention(c) (Pointer) -> Int32
    let freeCompletion: @convention(c) (Pointer) -> Void

    // Reads of several things at once.
    let makeRead: @convention(c) () -> Pointer?
    let freeRead: @convention(c) (Pointer) -> Void
    let doRead: @convention(c) (Pointer, Pointer, Text, Int32) -> Int32
    let readBytes:
        @convention(c) (Pointer, UInt64, Int, UnsafeMutablePointer<CChar>, UnsafeMutablePointer<Int>, Result)
            -> Void
    let readAttributes: @convention(c) (Pointer, Out, Result) -> Void
    let nextAttribute:
        @convention(c) (
            Pointer, UnsafeMutablePointer<Text?>, UnsafeMutablePointer<Text?>, UnsafeMutablePointer<Int>
        ) -> Int32
    let freeAttributes: @convention(c) (Pointer) -> Void
    let readValues: @convention(c) (Pointer, Text, Text, UInt64, Out, UnsafeMutablePointer<UInt8>, Result) -> Void
    let readValuesByKeys: @convention(c) (Pointer, Texts, Int, UnsafePointer<Int>, Out, Result) -> Void
    let nextValue:
        @convention(c) (
            Pointer, UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>,
            UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>, UnsafeMutablePointer<Int>, UnsafeMutablePointer<Int>
        ) -> Int32
    let freeValues: @convention(c) (Pointer) -> Void

    // Writes that are done whole or not at all.
    let makeWrite: @convention(c) () -> Pointer?
    let freeWrite: @convention(c) (Pointer) -> Void
    let doWrite: @convention(c) (Pointer, Pointer, Text, UnsafePointer<timespec>?, Int32) -> Int32
    let assertExists: @convention(c) (Pointer) -> Void
    let compareAttribute: @convention(c) (Pointer, Text, UInt8, Text, Int) -> Void
    let makeObject: @convention(c) (Pointer, Int32, Text?) -> Void
    let setAttribute: @convention(c) (Pointer, Text, Text, Int) -> Void
    let writeFull: @convention(c) (Pointer, Text, Int) -> Void
    let truncate: @convention(c) (Pointer, UInt64) -> Void
    let removeObject: @convention(c) (Pointer) -> Void
    let setValues: @convention(c) (Pointer, Texts, Texts, UnsafePointer<Int>, UnsafePointer<Int>, Int) -> Void
    let removeValues: @convention(c) (Pointer, Texts, UnsafePointer<Int>, Int) -> Void

    /// Throws with the remedy when the library is not there.
    static func load() throws -> RadosLibrary {
        let rados = try handle("librados.so.2")
        return RadosLibrary(
            create: try find("rados_create2", rados), readConfiguration: try find("rados_conf_read_file", rados),
            setOption: try find("rados_conf_set", rados), connect: try find("rados_connect", rados),
            shutDown: try find("rados_shutdown", rados), openPool: try find("rados_ioctx_create", rados),
            closePool: try find("rados_ioctx_destroy", rados),
            setNamespace: try find("rados_ioctx_set_namespace", rados),
            setFullTry: try find("rados_set_pool_full_try", rados),
            clusterSpace: try find("rados_cluster_stat", rados), command: try find("rados_mon_command", rados),
            freeBuffer: try find("rados_buffer_free", rados), read: try find("rados_read", rados),
            status: try find("rados_stat", rados), remove: try find("rados_remove", rados),
            makeCompletion: try find("rados_aio_create_completion2", rados),
            startWrite: try find("rados_aio_write", rados), wait: try find("rados_aio_wait_for_complete", rados),
            answer: try find("rados_aio_get_return_value", rados), freeCompletion: try find("rados_aio_release", rados),
            makeRead: try find("rados_create_read_op", rados), freeRead: try find("rados_release_read_op", rados),
            doRead: try find("rados_read_op_operate", rados), readBytes: try find("rados_read_op_read", rados),
            readAttributes: try find("rados_read_op_getxattrs", rados),
            nextAttribute: try find("rados_getxattrs_next", rados),
            freeAttributes: try find("rados_getxattrs_end", rados),
            readValues: try find("rados_read_op_omap_get_vals2", rados),
            readValuesByKeys: try find("rados_read_op_omap_get_vals_by_keys2", rados),
            nextValue: try find("rados_omap_get_next2", rados), freeValues: try find("rados_omap_get_end", rados),
            makeWrite: try find("rados_create_write_op", rados), freeWrite: try find("rados_release_write_op", rados),
            doWrite: try find("rados_write_op_operate2", rados),
            assertExists: try find("rados_write_op_assert_exists", rados),
            compareAttribute: try find("rados_write_op_cmpxattr", rados),
            makeObject: try find("rados_write_op_create", rados),
            setAttribute: try find("rados_write_op_setxattr", rados),
            writeFull: try find("rados_write_op_write_full", rados),
            truncate: try find("rados_write_op_truncate", rados),
            removeObject: try find("rados_write_op_remove", rados),
            setValues: try find("rados_write_op_omap_set2", rados),
            removeValues: try find("rados_write_op_omap_rm_keys2", rados))
    }

    private static func handle(_ name: String) throws -> Pointer {
        guard let handle = dlopen(name, RTLD_NOW | RTLD_LOCAL) else {
            throw CloudError(
                .unavailable, "A library of the storage host is missing.",
                cause: "\(dlerror().map { String(cString: $0) } ?? name): install librados2")
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
