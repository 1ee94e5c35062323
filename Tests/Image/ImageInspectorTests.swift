// SPDX-License-Identifier: Apache-2.0
import ImageCore
import Testing

/// What an image is said by its bytes alone, in pieces of any size, with bounded memory and whatever the bytes claim.
@Suite struct ImageInspectorTests {
    private func inspect(_ image: [UInt8], pieces size: Int = 64 << 10) -> ImageInspection {
        var inspector = ImageInspector()
        for start in stride(from: 0, to: image.count, by: size) {
            inspector.feed(Array(image[start..<min(image.count, start + size)]))
        }
        #expect(inspector.heldByteCount <= 512 << 10)
        return inspector.finish()
    }

    @Test(arguments: [1, 511, 4096, 1 << 20])
    func formatsAreToldInPiecesOfAnySize(size: Int) {
        #expect(inspect(ImageBytes.qcow2(), pieces: size) == .init(format: "qcow2", virtualSizeBytes: 10 << 20))
        #expect(inspect(ImageBytes.vmdk(), pieces: size) == .init(format: "vmdk", virtualSizeBytes: 1 << 20))
        #expect(inspect(ImageBytes.iso(), pieces: size) == .init(format: "iso", virtualSizeBytes: 204_800))
        #expect(inspect(ImageBytes.vhd(), pieces: size) == .init(format: "vhd", virtualSizeBytes: 7 << 20))
        #expect(inspect(ImageBytes.vdi(), pieces: size) == .init(format: "vdi", virtualSizeBytes: 5 << 20))
        #expect(inspect(ImageBytes.mbr(), pieces: size) == .init(format: "raw", virtualSizeBytes: 4096))
        guard size > 1 else { return }
        #expect(inspect(ImageBytes.vhdx(), pieces: size) == .init(format: "vhdx", virtualSizeBytes: 9 << 20))
    }

    @Test func emptyIsRaw() { #expect(inspect([]) == .init(format: "raw", virtualSizeBytes: 0)) }

    @Test func qcow2ThatReachesOutsideIsRefused() {
        #expect(inspect(ImageBytes.qcow2(backing: 512)).violation == "the image has a backing file")
        #expect(inspect(ImageBytes.qcow2(version: 2, backing: 1)).violation == "the image has a backing file")
        #expect(inspect(ImageBytes.qcow2(features: 4)).violation == "the image has an external data file")
        #expect(inspect(ImageBytes.qcow2(features: 1 << 40)).violation == "the image uses unknown features")
        #expect(inspect(ImageBytes.qcow2(version: 4)).violation != nil)
        let named: [(UInt64, [UInt8])] = [
            (0x6803_F857, Array(repeating: 0, count: 48)), (0x4441_5441, Array("/etc/x".utf8)),
        ]
        #expect(inspect(ImageBytes.qcow2(extensions: named)).violation == "the image has an external data file")
        #expect(
            inspect(ImageBytes.qcow2(version: 2, extensions: named)).violation == "the image has an external data file")
        #expect(inspect(ImageBytes.qcow2(features: 0b11011)).violation == nil)
    }

    @Test func vmdkThatNamesFilesIsRefused() {
        #expect(inspect(ImageBytes.vmdk(type: "streamOptimized")).violation == nil)
        #expect(inspect(ImageBytes.vmdk(type: "monolithicFlat")).violation != nil)
        #expect(inspect(ImageBytes.vmdk(type: "twoGbMaxExtentSparse")).violation != nil)
        #expect(inspect(ImageBytes.vmdk(extent: "RW 1 FLAT \"/etc/passwd\" 0")).violation == "an extent names a path")
        #expect(inspect(ImageBytes.vmdk(extent: "")).violation == "the descriptor has no extents")
        #expect(inspect(ImageBytes.vmdk(extra: "parentFileNameHint=\"x\"")).violation == "the image has a parent")
        #expect(inspect(ImageBytes.vmdk(extra: "something odd")).violation != nil)
        #expect(inspect(ImageBytes.vmdk(extra: "ddb.x createType=\"monolithicFlat\"")).violation != nil)
        #expect(inspect(ImageBytes.vmdk(extra: "#createType=\"monolithicFlat\"")).violation != nil)
        #expect(inspect(ImageBytes.vmdk(extent: "RW 8 FLAT \"victim.img\" 0")).violation != nil)
        #expect(inspect(ImageBytes.vmdk(extra: "RW 8 SPARSE \"other.vmdk\"")).violation != nil)
        var empty = ImageBytes.vmdk()
        empty.replaceSubrange(12..<20, with: repeatElement(0, count: 8))
        #expect(inspect(empty).violation != nil)
        let text = Array(
            "# Disk DescriptorFile\nversion=1\ncreateType=\"monolithicFlat\"\nRW 1 FLAT \"/etc/shadow\" 0\n".utf8)
        #expect(inspect(text).format == "vmdk")
        #expect(inspect(text).violation != nil)
    }

    @Test func parentsAreRefused() {
        #expect(inspect(ImageBytes.vhd(kind: 4)).violation == "the image has a parent")
        #expect(inspect(ImageBytes.vdi(kind: 4)).violation != nil)
        #expect(inspect(ImageBytes.vhdx(flags: 2)).violation == "the image has a parent")
    }

    @Test func twoFormatsInOneAreRefused() {
        var image = ImageBytes.iso()
        image.replaceSubrange(0..<1024, with: ImageBytes.qcow2())
        #expect(inspect(image).violation?.hasPrefix("multiple formats") ?? false)
    }

    @Test func declaredFormatMustBeTheRealOne() {
        let qcow2 = inspect(ImageBytes.qcow2())
        #expect(qcow2.refusal(declared: "qcow2", container: "bare") == nil)
        #expect(qcow2.refusal(declared: "raw", container: "bare") != nil)
        #expect(inspect(ImageBytes.iso()).refusal(declared: "raw", container: "bare") != nil)
        #expect(inspect(ImageBytes.iso()).refusal(declared: "iso", container: "bare") == nil)
        #expect(inspect([1, 2, 3]).refusal(declared: "qcow2", container: "bare") != nil)
        #expect(inspect([1, 2, 3]).refusal(declared: "qcow2", container: "bare", requiresMatch: false) == nil)
        #expect(qcow2.refusal(declared: "raw", container: "bare", requiresMatch: false) != nil)
        #expect(inspect([1, 2, 3]).refusal(declared: "aki", container: "aki") == nil)
        #expect(inspect([1, 2, 3]).refusal(declared: "qcow2", container: "ova") == nil)
        #expect(inspect(ImageBytes.mbr()).refusal(declared: "raw", container: "bare") == nil)
    }

    /// Every image cut at many places, and every byte of each header set to its extremes: no trap, bounded memory.
    @Test func damagedHeadersAreHarmless() {
        let images = [
            ImageBytes.qcow2(extensions: [(0x1234, [1, 2, 3])]), ImageBytes.vmdk(), ImageBytes.iso(), ImageBytes.vhd(),
            ImageBytes.vdi(), ImageBytes.vhdx(), ImageBytes.vhdx(metadata: .max), ImageBytes.vhdx(metadata: 0),
            ImageBytes.vhdx(items: 0xFFFF), ImageBytes.qcow2(size: .max),
        ]
        for image in images {
            for cut in [0, 1, 3, 4, 7, 24, 31, 63, 71, 72, 103, 104, 511, 512, 513, 1023, 32 << 10, 200_000, 1 << 20] {
                _ = inspect(Array(image.prefix(cut)))
            }
            for offset in Array(0..<128) + Array(512..<560)
                + Array(stride(from: 192 << 10, to: (192 << 10) + 48, by: 1))
            {
                guard offset < image.count else { continue }
                for value in [UInt8(0), 0x7F, 0x80, 0xFF] {
                    var damaged = image
                    damaged[offset] = value
                    _ = inspect(damaged, pieces: 1 << 21)
                }
            }
        }
    }
}
