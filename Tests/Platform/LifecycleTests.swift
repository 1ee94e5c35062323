// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LifecycleKit
import Synchronization
import Testing

/// Goal: what runs in the background can be bounded, awaited and stopped. Method: small tasks that signal each other.
@Suite("Lifecycle", .timeLimit(.minutes(10)))
struct LifecycleTests {
    @Test("a wake that nobody waits for is kept, as one")
    func signalCoalesces() async {
        let signal = Signal()
        signal.wake()
        signal.wake()
        #expect(await signal.wait(atMost: .seconds(10)))
        #expect(await !signal.wait(atMost: .milliseconds(1)))
    }

    @Test("a wake ends a wait that has begun")
    func signalWakes() async {
        let signal = Signal()
        await withTaskGroup(of: Bool.self) { group in
            group.addTask { await signal.wait(atMost: .seconds(30)) }
            group.addTask {
                signal.wake()
                return true
            }
            for await isWoken in group { #expect(isWoken) }
        }
    }

    @Test("blocking closures run on own threads and give back what they return or throw")
    func blockingPool() async throws {
        let pool = BlockingPool("test", threads: 4)
        let sum = try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 1...100 { group.addTask { try await pool.run { number } } }
            return try await group.reduce(0, +)
        }
        #expect(sum == 5050)
        await #expect(throws: CloudError.self) {
            try await pool.run { throw CloudError(.conflict, "no") }
        }
    }

    @Test("one thread runs its calls in order")
    func blockingThread() async throws {
        let thread = BlockingThread("test")
        let order = Shared<[Int]>([])
        for number in 0..<20 {
            try await thread.run { order.withLock { $0.append(number) } }
        }
        #expect(order.withLock { $0 } == Array(0..<20))
    }

    @Test("a full queue refuses at once")
    func blockingPoolIsBounded() async throws {
        let pool = BlockingPool("test", threads: 1, queueLimit: 1)
        let (started, release) = (Gate(), Gate())
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await pool.run {
                    started.open()
                    release.wait()
                }
            }
            // The thread is busy; one call fits into the queue, and of the next two one does not.
            try await pool.whenBusy(started)
            let outcomes = Shared<[Bool]>([])
            await withTaskGroup(of: Void.self) { calls in
                for _ in 0..<2 {
                    calls.addTask {
                        do {
                            try await pool.run {}
                            outcomes.withLock { $0.append(true) }
                        } catch {
                            outcomes.withLock { $0.append(false) }
                            release.open()
                        }
                    }
                }
            }
            #expect(outcomes.withLock { $0.sorted { !$0 && $1 } } == [false, true])
        }
    }

    @Test("a call that is abandoned answers its cancellation at once")
    func blockingPoolAbandons() async throws {
        let pool = BlockingPool("test", threads: 1)
        let (started, release) = (Gate(), Gate())
        await #expect(throws: CloudError.self) {
            try await withTimeout(.milliseconds(20), "the test") {
                try await pool.run(whenCancelled: .abandons) {
                    started.open()
                    release.wait()
                }
            }
        }
        release.open()
    }

    @Test("a time limit names what did not answer; a result in time is returned")
    func timeout() async throws {
        #expect(try await withTimeout(.seconds(30), "quick") { 7 } == 7)
        let error = await #expect(throws: CloudError.self) {
            try await withTimeout(.milliseconds(5), "The slow part") { try await Task.sleep(for: .seconds(60)) }
        }
        #expect(error?.code == .unavailable)
        #expect(error?.message.contains("The slow part") == true)
        let own = await #expect(throws: CloudError.self) {
            try await withTimeout(.seconds(30), "failing") { throw CloudError(.conflict, "own") }
        }
        #expect(own?.code == .conflict)
    }

    @Test("operations on one key never overlap, different keys do")
    func keyedQueue() async throws {
        let queue = KeyedSerialQueue<String>("test")
        let inside = Shared<[String: Int]>([:])
        let worst = Shared(0)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<60 {
                group.addTask {
                    let key = "key\(number % 3)"
                    try await queue.run(key) {
                        let count = inside.withLock { inside in
                            inside[key, default: 0] += 1
                            return inside[key, default: 0]
                        }
                        worst.withLock { $0 = max($0, count) }
                        await Task.yield()
                        inside.withLock { $0[key, default: 0] -= 1 }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(worst.withLock { $0 } == 1)

        // Two keys at once: each waits for the other inside its operation.
        let (left, right) = (Signal(), Signal())
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await queue.run("left") {
                    right.wake()
                    return await left.wait(atMost: .seconds(30))
                }
            }
            group.addTask {
                try await queue.run("right") {
                    left.wake()
                    return await right.wait(atMost: .seconds(30))
                }
            }
            for try await hasMet in group { #expect(hasMet) }
        }
    }

    @Test("background tasks are awaited, then cancelled, and none starts after the stop")
    func backgroundTasks() async {
        let tasks = BackgroundTasks("test", drainLimit: .milliseconds(20))
        let isCancelled = Shared(false)
        #expect(
            tasks.spawn("endless") {
                await Signal().wait()
                isCancelled.withLock { $0 = Task.isCancelled }
            })
        await tasks.drain()
        #expect(tasks.count == 0)
        #expect(isCancelled.withLock { $0 })
        #expect(!tasks.spawn("late") {})
    }

    @Test("one service that fails stops the others, last first")
    func serviceGroup() async {
        struct Recorder: Service {
            let name: String
            let stopped: @Sendable (String) -> Void
            func run() async throws {
                await Signal().wait()
                stopped(name)
            }
        }
        struct Failing: Service {
            let name = "failing"
            func run() async throws { throw CloudError(.bug, "broken") }
        }
        let order = Shared<[String]>([])
        let stopped: @Sendable (String) -> Void = { name in order.withLock { $0.append(name) } }
        await #expect(throws: CloudError.self) {
            try await ServiceGroup.run(
                [Recorder(name: "first", stopped: stopped), Recorder(name: "second", stopped: stopped), Failing()],
                handlesSignals: false)
        }
        #expect(order.withLock { $0 } == ["second", "first"])
    }

    @Test("a queue of elements keeps their order whatever is taken out")
    func fifo() {
        var queue = FIFO<Int>()
        for number in 0..<500 { queue.append(number) }
        #expect(queue.remove { $0 == 250 } == 250)
        var taken: [Int] = []
        while let number = queue.popFirst() {
            taken.append(number)
            if number == 100 { queue.append(1000) }
        }
        #expect(taken == Array(0..<250) + Array(251..<500) + [1000])
        #expect(queue.isEmpty)
    }
}

/// A value that several tasks change.
private final class Shared<Value: Sendable>: Sendable {
    private let value: Mutex<Value>
    init(_ value: Value) { self.value = Mutex(value) }
    func withLock<T: Sendable>(_ body: (inout Value) -> T) -> T { value.withLock { body(&$0) } }
}

/// Holds a thread until it is opened.
private final class Gate: Sendable {
    private let monitor = Monitor(false)
    func open() {
        monitor.withLock { $0 = true }
        monitor.wakeAll()
    }
    func wait() { monitor.wait { $0 ? () : nil } }
}

extension BlockingPool {
    /// Returns when the gate has been opened by a closure of this pool.
    fileprivate func whenBusy(_ gate: Gate) async throws {
        let helper = BlockingThread("gate")
        try await helper.run { gate.wait() }
    }
}
