// SPDX-License-Identifier: Apache-2.0
import BaseKit
import MessagingKit

/// Controller to agent: copy a guest's root disk, as it is at one moment, while the guest runs on. Answer: where the
/// copy is. `copy` is the caller's name for it; the same again replaces the copy.
package struct CopyRootDisk: BusMessage, Equatable {
    package typealias Reply = RootDiskCopy
    package static let version = 1
    package static let name: StaticString = "compute.copy-root-disk"
    package var server: ServerID
    package var copy: String
    package init(server: ServerID, copy: String) {
        self.server = server
        self.copy = copy
    }
}

/// A file of the host: qcow2 that stands alone.
package struct RootDiskCopy: Sendable, Codable, Equatable {
    package var path: String
    package init(path: String) { self.path = path }
}

/// Controller to agent: remove the copy. Answer: `GuestReply`; also when nothing was there.
package struct RemoveRootDiskCopy: BusMessage, Equatable {
    package typealias Reply = GuestReply
    package static let version = 1
    package static let name: StaticString = "compute.remove-root-disk-copy"
    package var server: ServerID
    package var copy: String
    package init(server: ServerID, copy: String) {
        self.server = server
        self.copy = copy
    }
}

/// Controller to agent: fetch an image ahead of its guests. Answer: when it is there.
package struct CacheImage: BusMessage, Equatable {
    package typealias Reply = BusDone
    package static let version = 1
    package static let name: StaticString = "compute.cache-image"
    package var image: GuestSpecification.RootImage
    package init(image: GuestSpecification.RootImage) { self.image = image }
}
