// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc

/// The files that the fake backend writes and reads: sparse, as large as the volume, with a word for the content at the
/// disk's start.
package enum FakeVolumeFile {
    package static func write(
        _ stored: FakeVolumeDriver.Stored, to path: String, _ format: VolumeConnection.Format
    ) throws {
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw fault(path) }
        defer { close(file) }
        let word = stored.content == .zeros ? [] : Array((stored.content.word + "\n").utf8)
        let size = stored.sizeGiB << 30
        switch format {
        case .raw: try put([(0, word)], file, path, length: size)
        case .qcow2: try put(qcow2(word, size: size), file, path, length: (dataCluster + 1) * clusterSize)
        }
    }

    /// Of a raw file. Nil: a file that the fake backend did not write.
    static func read(_ path: String) -> FakeVolumeDriver.Content? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 512)
        let count = Glibc.read(file, &bytes, bytes.count)
        guard count > 0 else { return count == 0 ? .zeros : nil }
        if bytes.prefix(count).allSatisfy({ $0 == 0 }) { return .zeros }
        return .init(word: String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
    }

    private static func fault(_ path: String) -> CloudError {
        CloudError(.bug, "the fake backend cannot write", cause: "\(path): \(errno)")
    }

    private static func put(
        _ pieces: [(offset: Int, bytes: [UInt8])], _ file: Int32, _ path: String, length: Int
    ) throws {
        for (offset, bytes) in pieces where pwrite(file, bytes, bytes.count, offset) != bytes.count {
            throw fault(path)
        }
        guard ftruncate(file, length) == 0 else { throw fault(path) }
    }

    // MARK: qcow2

    private static let clusterBits = 16
    private static let clusterSize = 1 << clusterBits
    private static let refcountTable = 1
    private static let refcountBlock = 2
    private static let topTable = 3
    private static let table = 4
    private static let dataCluster = 5

    /// A whole image of six clusters, the last of which is the disk's first; the others read as zeros.
    private static func qcow2(_ word: [UInt8], size: Int) -> [(offset: Int, bytes: [UInt8])] {
        // A cluster of the second level names 8192 clusters.
        let reach = clusterSize << (clusterBits - 3)
        var header: [UInt8] = [0x51, 0x46, 0x49, 0xFB] + big(3, 4) + big(0, 8) + big(0, 4)
        header += big(clusterBits, 4) + big(size, 8) + big(0, 4)
        header += big((size + reach - 1) / reach, 4) + big(topTable * clusterSize, 8)
        header += big(refcountTable * clusterSize, 8) + big(1, 4) + big(0, 4) + big(0, 8)
        // No features; refcounts of 16 bits; the header's length.
        header += big(0, 8) + big(0, 8) + big(0, 8) + big(4, 4) + big(104, 4)
        return [
            (0, header),
            (refcountTable * clusterSize, big(refcountBlock * clusterSize, 8)),
            (refcountBlock * clusterSize, (0...dataCluster).flatMap { _ in big(1, 2) }),
            (topTable * clusterSize, own(table)),
            (table * clusterSize, own(dataCluster)),
            (dataCluster * clusterSize, word),
        ]
    }

    /// Where a cluster is, with the bit that says that nobody shares it.
    private static func own(_ cluster: Int) -> [UInt8] {
        var bytes = big(cluster * clusterSize, 8)
        bytes[0] |= 0x80
        return bytes
    }

    private static func big(_ number: Int, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: number >> (8 * (count - 1 - $0))) }
    }
}

extension FakeVolumeDriver.Content {
    var word: String {
        switch self {
        case .zeros: "zeros"
        case .image(let id): "image \(id)"
        case .foreign(let name): "foreign \(name)"
        case .file(let path): "file \(path)"
        case .written(let number): "written \(number)"
        }
    }

    /// Nil: a file that this driver did not write.
    init?(word: String) {
        let words = word.split(separator: " ", maxSplits: 1).map(String.init)
        switch (words.first, words.count) {
        case ("zeros", 1): self = .zeros
        case ("image", 2): self = .image(words[1])
        case ("foreign", 2): self = .foreign(words[1])
        case ("file", 2): self = .file(words[1])
        case ("written", 2):
            guard let number = Int(words[1]) else { return nil }
            self = .written(number)
        default: return nil
        }
    }
}
