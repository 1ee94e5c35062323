// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// What an image's bytes are, whatever their owner says.
package struct ImageInspection: Sendable, Equatable {
    /// The recognized format; `raw` for a disk, partitioned or not, and for anything unknown.
    package var format: String
    /// What a guest would see. Nil when the format does not tell.
    package var virtualSizeBytes: Int64?
    /// Why a hypervisor must not open it, in words for its owner.
    package var violation: String?

    package init(format: String, virtualSizeBytes: Int64?, violation: String? = nil) {
        self.format = format
        self.virtualSizeBytes = virtualSizeBytes
        self.violation = violation
    }

    /// Why the image must be refused, or nil. glance: `ImageProxy.set_data` in `location.py`; unlike there, a rich
    /// format is refused behind a declared `raw`, too, since everything that opens it would have to know better.
    package func refusal(declared: String, container: String, requiresMatch: Bool = true) -> String? {
        if ImageFormats.opaqueContainers.contains(container) { return nil }
        let isMatch =
            declared == format
            || (format == "raw" && (ImageFormats.withoutSignature.contains(declared) || !requiresMatch))
        guard isMatch else { return "Image disk_format \(declared) does not match stream data \(format)" }
        return violation.map { "Image failed safety checks: \($0)" }
    }
}

/// Recognizes disk formats in bytes that pass by once. Keeps the first 320 KiB, the last 1.5 KiB and at most one
/// window of 128 KiB in between, however long the image and whatever its headers claim.
package struct ImageInspector: Sendable {
    /// VHDX has the second copy of its region table at 256 KiB; every other format tells all it has before.
    static let headLimit = 320 << 10
    static let tailLimit = 1536
    static let windowLimit = 128 << 10

    private var head: [UInt8] = []
    private var tail: [UInt8] = []
    private var window: [UInt8] = []
    private var windowOffset: Int64?
    private var hasSoughtWindow = false
    private var count: Int64 = 0

    package init() {}

    /// How many bytes it holds now.
    package var heldByteCount: Int { head.count + tail.count + window.count }

    package mutating func feed(_ piece: [UInt8]) {
        let start = count
        count += Int64(piece.count)
        if head.count < Self.headLimit {
            head.append(contentsOf: piece.prefix(Self.headLimit - head.count))
        }
        if !hasSoughtWindow, head.count == Self.headLimit {
            hasSoughtWindow = true
            windowOffset = VHDXInspection.metadataOffset(ByteView(head))
        }
        if let windowOffset { fillWindow(piece, at: start, from: windowOffset) }
        if piece.count >= Self.tailLimit {
            tail = Array(piece.suffix(Self.tailLimit))
        } else {
            tail.append(contentsOf: piece)
            if tail.count > Self.tailLimit { tail.removeFirst(tail.count - Self.tailLimit) }
        }
    }

    private mutating func fillWindow(_ piece: [UInt8], at start: Int64, from offset: Int64) {
        let wanted = offset + Int64(window.count)
        guard window.count < Self.windowLimit, start <= wanted, wanted < start + Int64(piece.count) else { return }
        window.append(contentsOf: piece.dropFirst(Int(wanted - start)).prefix(Self.windowLimit - window.count))
    }

    /// The format as far as it is known before the end; nil until the head is complete. The end may still add a reason
    /// to refuse, but never takes one away.
    package func preliminary() -> ImageInspection? {
        guard head.count == Self.headLimit else { return nil }
        // VHDX tells its size later; only its name is of use now.
        return inspection(isComplete: false)
    }

    /// To be called once, after the last piece.
    package func finish() -> ImageInspection { inspection(isComplete: true) }

    private func inspection(isComplete: Bool) -> ImageInspection {
        let head = ByteView(head)
        var found: [ImageInspection] = []
        if let qcow2 = QCOW2Inspection.inspect(head) { found.append(qcow2) }
        if let vmdk = VMDKInspection.inspect(head, tail: isComplete ? ByteView(tail) : nil) { found.append(vmdk) }
        if let vhd = VHDInspection.inspect(head) { found.append(vhd) }
        if let vhdx = VHDXInspection.inspect(head, window: isComplete ? ByteView(window) : nil) { found.append(vhdx) }
        if let vdi = VDIInspection.inspect(head) { found.append(vdi) }
        if let iso = ISOInspection.inspect(head) { found.append(iso) }
        if let other = OtherInspection.inspect(head) { found.append(other) }
        guard let first = found.first else { return ImageInspection(format: "raw", virtualSizeBytes: count) }
        guard found.count == 1 else {
            let names = found.map(\.format).sorted().joined(separator: ",")
            return ImageInspection(
                format: first.format, virtualSizeBytes: nil, violation: "multiple formats detected: \(names)")
        }
        return first
    }
}

/// Numbers out of bytes that may be fewer than their headers claim. Everything outside is nil.
struct ByteView {
    let bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var count: Int { bytes.count }

    func slice(_ offset: Int, _ count: Int) -> ArraySlice<UInt8>? {
        guard offset >= 0, count >= 0, offset <= bytes.count, count <= bytes.count - offset else { return nil }
        return bytes[offset..<offset + count]
    }

    func has(_ text: StaticString, at offset: Int) -> Bool {
        slice(offset, text.utf8CodeUnitCount).map { $0.elementsEqual(Array(text.description.utf8)) } ?? false
    }

    func has(_ wanted: [UInt8], at offset: Int) -> Bool {
        slice(offset, wanted.count).map { $0.elementsEqual(wanted) } ?? false
    }

    func bigEndian<T: FixedWidthInteger & UnsignedInteger>(_ offset: Int, _: T.Type = T.self) -> T? {
        slice(offset, MemoryLayout<T>.size).map { $0.reduce(T(0)) { $0 << 8 | T($1) } }
    }

    func littleEndian<T: FixedWidthInteger & UnsignedInteger>(_ offset: Int, _: T.Type = T.self) -> T? {
        slice(offset, MemoryLayout<T>.size).map { $0.reversed().reduce(T(0)) { $0 << 8 | T($1) } }
    }
}

extension UInt64 {
    /// A size that a header claims, when it can be one: up to 64 PiB.
    var plausibleSize: Int64? { self <= 1 << 56 ? Int64(self) : nil }
}
