// SPDX-License-Identifier: Apache-2.0
import BaseKit
import CRados
import Glibc

/// What was read of an object at one instant.
struct RadosSnapshot {
    var attributes: [String: [UInt8]] = [:]
    /// From its start.
    var bytes: [UInt8] = []
    /// Of the keys that were asked for those that are there.
    var values: [[UInt8]: [UInt8]] = [:]
}

/// A change of one object: all of it happens, or nothing.
struct RadosWrite {
    enum Condition {
        case none, exists, absent
        /// The attribute has this value.
        case attribute(String, [UInt8])
    }
    var condition = Condition.none
    var attributes: [(String, [UInt8])] = []
    /// Replaces all that is there.
    var bytes: [UInt8]?
    var values: [[UInt8]: [UInt8]] = [:]
    var removedKeys: [[UInt8]] = []
    var removesObject = false
}

/// The objects of one namespace. Everything blocks.
struct RadosPool: @unchecked Sendable {
    // SAFETY: the handle belongs to a connection that outlives every call; librados lets any thread use it.
    let library: RadosLibrary
    let handle: UnsafeMutableRawPointer

    /// Keys that one call may give: what a store gives at once without being told otherwise.
    static let pageLimit = 1000

    // MARK: Reading

    /// Nil: it is not there.
    func read(
        _ name: String, attributes: Bool = true, bytes limit: Int = 0, keys: [[UInt8]] = []
    ) throws -> RadosSnapshot? {
        guard let operation = library.makeRead() else { preconditionFailure("out of memory") }
        defer { library.freeRead(operation) }
        let slots = ReadSlots()
        defer { slots.free(library) }
        var buffer = UnsafeMutableBufferPointer<CChar>(start: nil, count: 0)
        if attributes { library.readAttributes(operation, slots.attributes, slots.results) }
        if limit > 0 {
            buffer = .allocate(capacity: limit)
            guard let start = buffer.baseAddress else { preconditionFailure("a buffer without bytes") }
            library.readBytes(operation, 0, limit, start, slots.count, slots.results + 1)
        }
        defer { buffer.deallocate() }
        if !keys.isEmpty {
            CTexts.with(keys) { texts, lengths in
                library.readValuesByKeys(operation, texts, keys.count, lengths, slots.values, slots.results + 2)
            }
        }
        let result = library.doRead(operation, handle, name, 0)
        if result == -ENOENT { return nil }
        for code in [result, slots.results[0], slots.results[1], slots.results[2]] { try check(code, "read", name) }
        var snapshot = RadosSnapshot()
        if let iterator = slots.attributes.pointee { snapshot.attributes = try readAttributes(iterator, name) }
        if limit > 0 { snapshot.bytes = buffer[..<slots.count.pointee].map { UInt8(bitPattern: $0) } }
        if let iterator = slots.values.pointee {
            for (key, value) in try readValues(iterator, name) { snapshot.values[key] = value }
        }
        return snapshot
    }

    /// Keys after `start`, in their order, at most `limit` and at most a page. Nil: the object is not there. `isLast`:
    /// there are no more.
    func values(
        _ name: String, after start: [UInt8], limit: Int
    ) throws -> (entries: [(key: [UInt8], value: [UInt8])], isLast: Bool)? {
        precondition(!start.contains(0), "a key with a zero")
        guard let operation = library.makeRead() else { preconditionFailure("out of memory") }
        defer { library.freeRead(operation) }
        let slots = ReadSlots()
        defer { slots.free(library) }
        let text = start.map { CChar(bitPattern: $0) } + [0]
        library.readValues(
            operation, text, "", UInt64(min(max(limit, 1), Self.pageLimit)), slots.values, slots.hasMore, slots.results)
        let result = library.doRead(operation, handle, name, 0)
        if result == -ENOENT { return nil }
        for code in [result, slots.results[0]] { try check(code, "list", name) }
        guard let iterator = slots.values.pointee else { return ([], true) }
        return (try readValues(iterator, name), slots.hasMore.pointee == 0)
    }

    /// At most `count` bytes from `offset`; fewer at the end. Nil: the object is not there.
    func bytes(_ name: String, at offset: Int64, count: Int) throws -> [UInt8]? {
        var code: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, used in
            buffer.withMemoryRebound(to: CChar.self) { chars in
                guard let start = chars.baseAddress else { return }
                code = library.read(handle, name, start, count, UInt64(offset))
            }
            used = Int(max(0, code))
        }
        if code == -ENOENT { return nil }
        try check(code, "read", name)
        return bytes
    }

    func exists(_ name: String) throws -> Bool {
        let result = library.status(handle, name, nil, nil)
        if result == -ENOENT { return false }
        try check(result, "stat", name)
        return true
    }

    // MARK: Writing

    /// False: another writer was first, and `change.condition` does not hold any more.
    func attempt(_ name: String, _ change: RadosWrite) throws -> Bool {
        let result = perform(name, change)
        if [-ECANCELED, -EEXIST, -ENOENT].contains(result) { return false }
        try check(result, "write", name)
        return true
    }

    /// Throws when the condition does not hold, too.
    func write(_ name: String, _ change: RadosWrite) throws { try check(perform(name, change), "write", name) }

    private func perform(_ name: String, _ change: RadosWrite) -> Int32 {
        guard let operation = library.makeWrite() else { preconditionFailure("out of memory") }
        defer { library.freeWrite(operation) }
        switch change.condition {
        case .none: break
        case .exists: library.assertExists(operation)
        case .absent: library.makeObject(operation, LIBRADOS_CREATE_EXCLUSIVE, nil)
        case .attribute(let attribute, let value):
            CTexts.with(value) {
                library.compareAttribute(operation, attribute, UInt8(LIBRADOS_CMPXATTR_OP_EQ), $0, value.count)
            }
        }
        for (attribute, value) in change.attributes {
            CTexts.with(value) { library.setAttribute(operation, attribute, $0, value.count) }
        }
        if let bytes = change.bytes {
            if bytes.isEmpty {
                library.truncate(operation, 0)
            } else {
                CTexts.with(bytes) { library.writeFull(operation, $0, bytes.count) }
            }
        }
        if !change.removedKeys.isEmpty {
            CTexts.with(change.removedKeys) { library.removeValues(operation, $0, $1, change.removedKeys.count) }
        }
        if !change.values.isEmpty {
            let (keys, values) = (Array(change.values.keys), Array(change.values.values))
            CTexts.with(keys) { keyTexts, keyLengths in
                CTexts.with(values) { valueTexts, valueLengths in
                    library.setValues(operation, keyTexts, valueTexts, keyLengths, valueLengths, keys.count)
                }
            }
        }
        if change.removesObject { library.removeObject(operation) }
        return library.doWrite(operation, handle, name, nil, 0)
    }

    /// Not an error when it is not there.
    func remove(_ name: String) throws {
        let result = library.remove(handle, name)
        if result != -ENOENT { try check(result, "remove", name) }
    }

    /// Begins to write; the bytes are copied.
    func start(_ name: String, _ bytes: ArraySlice<UInt8>, at offset: Int64) throws -> RadosPending {
        var completion: UnsafeMutableRawPointer?
        try check(library.makeCompletion(nil, nil, &completion), "completion", name)
        guard let completion else { preconditionFailure("a completion without a handle") }
        let result = bytes.withUnsafeBytes { buffer in
            CTexts.start(buffer) { library.startWrite(handle, name, completion, $0, buffer.count, UInt64(offset)) }
        }
        guard result >= 0 else {
            library.freeCompletion(completion)
            throw RadosError(call: "write", subject: name, code: -result)
        }
        return RadosPending(library: library, completion: completion, name: name)
    }

    // MARK: Private

    private func readAttributes(_ iterator: UnsafeMutableRawPointer, _ name: String) throws -> [String: [UInt8]] {
        var attributes: [String: [UInt8]] = [:]
        while true {
            var (key, value, count): (UnsafePointer<CChar>?, UnsafePointer<CChar>?, Int) = (nil, nil, 0)
            try check(library.nextAttribute(iterator, &key, &value, &count), "read", name)
            guard let key else { return attributes }
            attributes[String(cString: key)] = Self.copy(value, count)
        }
    }

    private func readValues(
        _ iterator: UnsafeMutableRawPointer, _ name: String
    ) throws -> [(key: [UInt8], value: [UInt8])] {
        var entries: [(key: [UInt8], value: [UInt8])] = []
        while true {
            var (key, value): (UnsafeMutablePointer<CChar>?, UnsafeMutablePointer<CChar>?) = (nil, nil)
            var (keyCount, valueCount) = (0, 0)
            try check(library.nextValue(iterator, &key, &value, &keyCount, &valueCount), "list", name)
            guard let key else { return entries }
            entries.append((Self.copy(key, keyCount), Self.copy(value, valueCount)))
        }
    }

    private static func copy(_ start: UnsafePointer<CChar>?, _ count: Int) -> [UInt8] {
        Array(UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : count))
    }

    private func check(_ result: Int32, _ call: String, _ subject: String) throws {
        if result < 0 { throw RadosError(call: call, subject: subject, code: -result) }
    }
}

/// A write that is on its way. `finish` is called once.
struct RadosPending: @unchecked Sendable {
    // SAFETY: the completion is this value's alone until `finish` frees it; librados lets any thread wait for it.
    let library: RadosLibrary
    let completion: UnsafeMutableRawPointer
    let name: String

    /// Returns when the bytes are durable. Blocks.
    func finish() throws {
        defer { library.freeCompletion(completion) }
        _ = library.wait(completion)
        let result = library.answer(completion)
        if result < 0 { throw RadosError(call: "write", subject: name, code: -result) }
    }
}

/// Where a read puts what it finds: the addresses must stand from when they are named until it has run.
private struct ReadSlots {
    let attributes = UnsafeMutablePointer<UnsafeMutableRawPointer?>.allocate(capacity: 1)
    let values = UnsafeMutablePointer<UnsafeMutableRawPointer?>.allocate(capacity: 1)
    let results = UnsafeMutablePointer<Int32>.allocate(capacity: 3)
    let count = UnsafeMutablePointer<Int>.allocate(capacity: 1)
    let hasMore = UnsafeMutablePointer<UInt8>.allocate(capacity: 1)

    init() {
        attributes.initialize(to: nil)
        values.initialize(to: nil)
        results.initialize(repeating: 0, count: 3)
        count.initialize(to: 0)
        hasMore.initialize(to: 0)
    }

    func free(_ library: RadosLibrary) {
        if let iterator = attributes.pointee { library.freeAttributes(iterator) }
        if let iterator = values.pointee { library.freeValues(iterator) }
        attributes.deallocate()
        values.deallocate()
        results.deallocate()
        count.deallocate()
        hasMore.deallocate()
    }
}

/// Bytes as C's calls want them: pointers and lengths, valid for one call.
private enum CTexts {
    static func start<T>(_ buffer: UnsafeRawBufferPointer, _ body: (UnsafePointer<CChar>) -> T) -> T {
        guard let start = buffer.baseAddress, !buffer.isEmpty else {
            var none: CChar = 0
            return body(&none)
        }
        return buffer.withMemoryRebound(to: CChar.self) { chars in
            body(chars.baseAddress ?? start.assumingMemoryBound(to: CChar.self))
        }
    }

    static func with<T>(_ bytes: [UInt8], _ body: (UnsafePointer<CChar>) -> T) -> T {
        bytes.withUnsafeBytes { start($0, body) }
    }

    static func with(
        _ texts: [[UInt8]], _ body: (UnsafePointer<UnsafePointer<CChar>?>, UnsafePointer<Int>) -> Void
    ) {
        let all: [UInt8] = Array(texts.joined()) + [0]
        let lengths = texts.map(\.count)
        with(all) { first in
            var offset = 0
            let pointers = lengths.map { length -> UnsafePointer<CChar>? in
                defer { offset += length }
                return first + offset
            }
            body(pointers, lengths)
        }
    }
}
