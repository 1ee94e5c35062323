// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LinuxKit
import Testing

@testable import BlockStorageDriverFiles

/// Goal: a folder of layers is not read again and again, and no change is missed.
/// Method: counts how often a header would be read, at times that the test says.
@Suite("Layer cache")
struct LayerCacheTests {
    private func stamp(_ size: Int64, at seconds: Int64) -> LayerCache.Stamp {
        .init(sizeBytes: size, modifiedSeconds: seconds, changedSeconds: seconds)
    }

    @Test("a header is read once, until its file changes; a fresh one again")
    func reads() throws {
        let (cache, name) = (LayerCache(), try LayerName.first(of: .init("33333333-3333-4333-8333-333333333333")))
        var reads = 0
        func look(_ stamp: LayerCache.Stamp, now: Int64) -> Int64 {
            cache.layer(name, stamp, now: Timestamp(seconds: now)) {
                reads += 1
                return Layer(name: name, sizeBytes: Int64(reads), isEncrypted: false, backing: nil)
            }.sizeBytes
        }
        // It might change within the same second.
        #expect(look(stamp(1, at: 100), now: 100) == 1)
        #expect(look(stamp(1, at: 100), now: 101) == 2)
        for now in Int64(102)...110 { #expect(look(stamp(1, at: 100), now: now) == 3) }
        #expect(look(stamp(2, at: 111), now: 120) == 4)
        #expect(look(stamp(2, at: 111), now: 121) == 4)
        cache.keep(only: [])
        #expect(look(stamp(2, at: 111), now: 122) == 5)
    }
}
