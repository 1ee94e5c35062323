// SPDX-License-Identifier: Apache-2.0
import CWslay
import Glibc
import LifecycleKit

/// The protocol of one WebSocket on wslay. Not safe for threads: `WebSocket` locks around it.
final class WebSocketFrames {
    private let descriptor: Int32
    private let queueLimit: Int
    private var context: wslay_event_context_ptr?
    /// What the client sent behind its handshake, before anything on the socket.
    private var early: ArraySlice<UInt8>
    private(set) var messages = FIFO<[UInt8]>()
    private(set) var messageBytes = 0
    private(set) var isBroken = false

    init?(_ descriptor: Int32, early: [UInt8], messageLimit: Int, queueLimit: Int) {
        self.descriptor = descriptor
        self.early = early[...]
        self.queueLimit = queueLimit
        var callbacks = wslay_event_callbacks()
        callbacks.recv_callback = receiveBytes
        callbacks.send_callback = sendBytes
        callbacks.on_msg_recv_callback = receivedMessage
        // SAFETY: the context never outlives this object, which frees it.
        let code = wslay_event_context_server_init(&context, &callbacks, Unmanaged.passUnretained(self).toOpaque())
        guard code == 0, let context else { return nil }
        wslay_event_config_set_max_recv_msg_length(context, UInt64(messageLimit))
    }

    deinit {
        if let context { wslay_event_context_free(context) }
    }

    /// Nothing more is read while this is true.
    var isFull: Bool { messageBytes >= queueLimit }
    var wantsRead: Bool { context.map { wslay_event_want_read($0) != 0 } ?? false }
    var wantsWrite: Bool { context.map { wslay_event_want_write($0) != 0 } ?? false }
    var queuedBytes: Int { context.map { Int(wslay_event_get_queued_msg_length($0)) } ?? 0 }
    var isCloseReceived: Bool { context.map { wslay_event_get_close_received($0) != 0 } ?? true }
    /// Both close frames are through, or nothing can go through any more.
    var isFinished: Bool { isBroken || !wantsRead && !wantsWrite }

    func popFirst() -> [UInt8]? {
        guard let message = messages.popFirst() else { return nil }
        messageBytes -= message.count
        return message
    }

    func read() {
        guard let context, !isBroken, wantsRead else { return }
        if wslay_event_recv(context) != 0 { isBroken = true }
        write()
    }

    func write() {
        guard let context, !isBroken, wantsWrite else { return }
        if wslay_event_send(context) != 0 { isBroken = true }
    }

    func queue(_ message: [UInt8], opcode: wslay_opcode = WSLAY_BINARY_FRAME) -> Bool {
        guard let context, !isBroken else { return false }
        return message.withUnsafeBufferPointer { bytes in
            var argument = wslay_event_msg(
                opcode: UInt8(opcode.rawValue), msg: bytes.baseAddress, msg_length: bytes.count)
            return wslay_event_queue_msg(context, &argument) == 0
        }
    }

    func queueClose(_ code: UInt16) {
        guard let context, !isBroken else { return }
        wslay_event_queue_close(context, code, nil, 0)
    }

    // MARK: Callbacks

    fileprivate func fill(_ buffer: UnsafeMutableRawBufferPointer, _ context: wslay_event_context_ptr) -> Int {
        if isFull {
            wslay_event_set_error(context, Int32(WSLAY_ERR_WOULDBLOCK.rawValue))
            return -1
        }
        if !early.isEmpty {
            let part = early.prefix(buffer.count)
            buffer.copyBytes(from: part)
            early = early.dropFirst(part.count)
            return part.count
        }
        while true {
            let count = recv(descriptor, buffer.baseAddress, buffer.count, SocketFlags.noWait)
            if count > 0 { return count }
            if count < 0, errno == EINTR { continue }
            let isEmpty = count < 0 && errno == EAGAIN
            wslay_event_set_error(
                context, Int32(isEmpty ? WSLAY_ERR_WOULDBLOCK.rawValue : WSLAY_ERR_CALLBACK_FAILURE.rawValue))
            return -1
        }
    }

    fileprivate func drain(_ bytes: UnsafeRawBufferPointer, _ context: wslay_event_context_ptr) -> Int {
        while true {
            let count = send(descriptor, bytes.baseAddress, bytes.count, SocketFlags.noWait)
            if count >= 0 { return count }
            if errno == EINTR { continue }
            let isFull = errno == EAGAIN
            wslay_event_set_error(
                context, Int32(isFull ? WSLAY_ERR_WOULDBLOCK.rawValue : WSLAY_ERR_CALLBACK_FAILURE.rawValue))
            return -1
        }
    }

    fileprivate func received(_ bytes: UnsafeRawBufferPointer, opcode: UInt8) {
        guard opcode == UInt8(WSLAY_TEXT_FRAME.rawValue) || opcode == UInt8(WSLAY_BINARY_FRAME.rawValue) else {
            return
        }
        // An empty message carries nothing, and the reader takes empty for never.
        guard !bytes.isEmpty else { return }
        messages.append(Array(bytes))
        messageBytes += bytes.count
    }
}

// SAFETY of the callbacks: wslay runs them only inside the calls above, so the object lives and is locked.

private func frames(_ data: UnsafeMutableRawPointer?) -> WebSocketFrames? {
    data.map { Unmanaged<WebSocketFrames>.fromOpaque($0).takeUnretainedValue() }
}

private func receiveBytes(
    _ context: wslay_event_context_ptr?, _ buffer: UnsafeMutablePointer<UInt8>?, _ length: Int, _ flags: Int32,
    _ data: UnsafeMutableRawPointer?
) -> Int {
    guard let context, let frames = frames(data) else { return -1 }
    return frames.fill(UnsafeMutableRawBufferPointer(start: buffer, count: length), context)
}

private func sendBytes(
    _ context: wslay_event_context_ptr?, _ bytes: UnsafePointer<UInt8>?, _ length: Int, _ flags: Int32,
    _ data: UnsafeMutableRawPointer?
) -> Int {
    guard let context, let frames = frames(data) else { return -1 }
    return frames.drain(UnsafeRawBufferPointer(start: bytes, count: length), context)
}

private func receivedMessage(
    _ context: wslay_event_context_ptr?, _ argument: UnsafePointer<wslay_event_on_msg_recv_arg>?,
    _ data: UnsafeMutableRawPointer?
) {
    guard let frames = frames(data), let message = argument?.pointee else { return }
    frames.received(UnsafeRawBufferPointer(start: message.msg, count: message.msg_length), opcode: message.opcode)
}
