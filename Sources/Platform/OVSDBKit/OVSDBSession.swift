// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LogKit

/// The thread of a connection: connects, reads the schema and the monitored tables, then carries messages both ways.
struct OVSDBSession: ~Copyable {
    /// Silence after which the peer is asked whether it lives, and after which it is given up.
    private static let probeAfter = Duration.seconds(10)
    private static let giveUpAfter = Duration.seconds(30)
    private static let connectLimit = Duration.seconds(5)
    private static let longestPause = Duration.seconds(5)

    private enum Phase { case schema, contents, ready }

    private let connection: OVSDBConnection
    private let socket: OVSDBSocket
    private var framer: JSONFramer
    private var outgoing: ArraySlice<UInt8> = []
    private var phase = Phase.schema
    private var schema: OVSDBSchema?
    private var lastHeard = ContinuousClock.now
    private var hasProbed = false

    /// Runs until the connection stops.
    static func work(_ connection: OVSDBConnection) {
        var attempt = 0
        var pause = Duration.milliseconds(50)
        while !connection.state.withLock({ $0.isStopping }) {
            let endpoint = connection.endpoints[attempt % connection.endpoints.count]
            attempt += 1
            var wasReady = false
            do {
                var session = try OVSDBSession(connection, endpoint)
                defer { wasReady = session.phase == .ready }
                try session.run()
            } catch {
                connection.lost(endpoint, "\(error)", wasReady: wasReady)
            }
            if wasReady { pause = .milliseconds(50) }
            sleep(connection, pause)
            pause = min(pause * 2, longestPause)
        }
        connection.lost(connection.endpoints[0], "stopped", wasReady: false)
    }

    private static func sleep(_ connection: OVSDBConnection, _ pause: Duration) {
        let end = ContinuousClock.now + pause
        while !connection.state.withLock({ $0.isStopping }) {
            let left = end - ContinuousClock.now
            guard left > .zero else { return }
            connection.wakeUp.sleep(milliseconds: Int32(left.milliseconds) + 1)
            connection.wakeUp.clear()
        }
    }

    private init(_ connection: OVSDBConnection, _ endpoint: OVSDBEndpoint) throws {
        self.connection = connection
        socket = try OVSDBSocket(endpoint)
        framer = JSONFramer(limit: connection.maximumMessage)
    }

    private mutating func run() throws {
        try finishConnect()
        let database = connection.state.withLock { $0.monitor.database }
        send(OVSDBConnection.request(0, "get_schema", [.string(database)]))
        while !connection.state.withLock({ $0.isStopping }) {
            if outgoing.isEmpty {
                let waiting = connection.state.withLock { state -> [UInt8] in
                    guard state.isReady else { return [] }
                    defer { state.outbox = [] }
                    return state.outbox
                }
                outgoing = waiting[...]
            }
            if !outgoing.isEmpty { outgoing = outgoing.dropFirst(try socket.write(outgoing)) }
            switch socket.wait(connection.wakeUp, forWriting: !outgoing.isEmpty, milliseconds: 5000) {
            case .timeout: break
            case .woken: connection.wakeUp.clear()
            case .socket(let canRead, _):
                connection.wakeUp.clear()
                guard canRead else { continue }
                guard try socket.read(into: &framer.buffer) else { throw failure("the server closed the connection") }
                lastHeard = .now
                hasProbed = false
                while let message = try framer.next() { try receive(try JSONReader.read(message)) }
            }
            try probe()
        }
    }

    private borrowing func finishConnect() throws {
        let end = ContinuousClock.now + Self.connectLimit
        while true {
            guard ContinuousClock.now < end else { throw failure("the server did not take the connection in time") }
            guard !connection.state.withLock({ $0.isStopping }) else { throw failure("stopped") }
            switch socket.wait(connection.wakeUp, forWriting: true, milliseconds: 1000) {
            case .timeout: continue
            case .woken: connection.wakeUp.clear()
            case .socket:
                if let error = socket.connectError() { throw failure("connect: \(error)") }
                return
            }
        }
    }

    private mutating func probe() throws {
        let silence = ContinuousClock.now - lastHeard
        guard silence < Self.giveUpAfter else { throw failure("the server is silent") }
        guard silence > Self.probeAfter, !hasProbed else { return }
        hasProbed = true
        send(Array(#"{"id":"echo","method":"echo","params":[]}"#.utf8))
    }

    private mutating func send(_ message: [UInt8]) { outgoing = outgoing + message }

    // MARK: Incoming

    private mutating func receive(_ message: JSON) throws {
        if let method = message["method"]?.string {
            try receive(method, message["params"] ?? .null, id: message["id"] ?? .null)
            return
        }
        // Answers to our probe have the id "echo" and need no more than having come.
        guard let id = message["id"]?.int else { return }
        let error = message["error"] ?? .null
        switch id {
        case 0:
            guard error.isNull else { throw failure("refused: \(error.text())") }
            try receiveAnswer(message["result"] ?? .null)
        default:
            guard let call = connection.state.withLock({ $0.calls.removeValue(forKey: UInt64(id)) }) else { return }
            if error.isNull {
                call.continuation.resume(returning: message["result"] ?? .null)
            } else {
                call.continuation.resume(throwing: failure("refused: \(error.text())"))
            }
        }
    }

    private mutating func receive(_ method: String, _ parameters: JSON, id: JSON) throws {
        switch method {
        case "echo":
            send(
                JSONWriter.object { writer in
                    writer.field("id", id)
                    writer.field("result", parameters)
                    writer.nullField("error")
                })
        case "update2":
            guard let updates = parameters.array?.last else { throw failure("malformed update") }
            let changes = try connection.state.withLock { state -> [OVSDBChange] in
                try state.replica?.apply(updates) ?? []
            }
            connection.onChange(changes)
        default: break
        }
    }

    private mutating func receiveAnswer(_ result: JSON) throws {
        switch phase {
        case .schema:
            let schema = try OVSDBSchema(result)
            self.schema = schema
            phase = .contents
            let monitor = connection.state.withLock { $0.monitor }
            send(OVSDBConnection.request(0, "monitor_cond", connection.parameters(monitor, schema)))
        case .contents:
            guard let schema else { throw failure("answer without a question") }
            let indexes = connection.state.withLock { $0.monitor.indexes }
            var replica = OVSDBReplica(schema: schema, indexes: indexes)
            _ = try replica.apply(result)
            phase = .ready
            connection.became(replica)
        case .ready: break
        }
    }

    private borrowing func failure(_ cause: String) -> CloudError {
        CloudError(.unavailable, "The network database cannot be reached.", cause: cause)
    }
}

extension OVSDBConnection {
    fileprivate func parameters(_ monitor: OVSDBMonitor, _ schema: OVSDBSchema) -> JSON {
        var requests: [String: JSON] = [:]
        for table in monitor.tables {
            guard let known = schema.tables[table.name] else { continue }
            let columns = table.columns.filter { known[$0] != nil }.map(JSON.string)
            requests[table.name] = [["columns": .array(columns), "where": Self.json(table.conditions)]]
        }
        return [.string(monitor.database), .string(name), .object(requests)]
    }

    fileprivate func became(_ replica: OVSDBReplica) {
        let (old, waiters) = state.withLock { state in
            let old = state.replica
            state.replica = replica
            state.isReady = true
            state.outbox = []
            defer { state.waiters = [:] }
            return (old, state.waiters)
        }
        log.info("connected", ["server": name])
        onChange(replica.changes(since: old))
        for waiter in waiters.values { waiter.resume() }
    }

    fileprivate func lost(_ endpoint: OVSDBEndpoint, _ reason: String, wasReady: Bool) {
        let calls = state.withLock { state in
            state.isReady = false
            state.lastFailure = reason
            state.outbox = []
            defer { state.calls = [:] }
            return state.calls
        }
        if wasReady { log.warning("connection lost", ["server": name, "endpoint": endpoint, "reason": reason]) }
        for call in calls.values {
            call.continuation.resume(
                throwing: CloudError(
                    .unavailable, "The network database cannot be reached.", cause: "\(name): \(reason)"))
        }
    }
}

extension Duration {
    /// Whole milliseconds, at most a day's.
    var milliseconds: Int64 {
        min(components.seconds, 86_400) * 1000 + components.attoseconds / 1_000_000_000_000_000
    }
}
