// SPDX-License-Identifier: Apache-2.0
import HTTPKit
import Synchronization

/// Several ranges of one content as `multipart/byteranges`, each read when its turn comes.
final class MultipartRanges: ByteSource {
    let boundary: String
    let length: Int64
    private let content: any RangedContent
    private let type: String
    private let rest: Drawer<Range<Int64>>
    private enum State {
        case between
        case inside(any ByteSource)
        case ended
    }
    private let state = Mutex(State.between)

    init(_ ranges: [Range<Int64>], of content: any RangedContent, type: String, boundary: String) {
        self.content = content
        self.type = type
        self.boundary = boundary
        rest = Drawer(ranges)
        let heads = ranges.map { Self.head($0, content.sizeBytes, type, boundary).count + $0.count + 2 }
        length = Int64(heads.reduce(0, +) + Self.end(boundary).count)
    }

    func next() async throws -> [UInt8]? {
        switch state.withLock({ $0 }) {
        case .inside(let source):
            if let piece = try await source.next() { return piece }
            state.withLock { $0 = .between }
            return Array("\r\n".utf8)
        case .between:
            guard let range = rest.draw() else {
                state.withLock { $0 = .ended }
                await content.close()
                return Self.end(boundary)
            }
            let source = try await content.body(range).source()
            state.withLock { $0 = .inside(source) }
            return Self.head(range, content.sizeBytes, type, boundary)
        case .ended: return nil
        }
    }

    private static func head(_ range: Range<Int64>, _ size: Int64, _ type: String, _ boundary: String) -> [UInt8] {
        let range = SwiftAnswer.contentRange(range, size)
        return Array("--\(boundary)\r\nContent-Type: \(type)\r\nContent-Range: \(range)\r\n\r\n".utf8)
    }

    private static func end(_ boundary: String) -> [UInt8] { Array("--\(boundary)--".utf8) }
}
