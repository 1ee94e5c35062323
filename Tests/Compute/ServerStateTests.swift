// SPDX-License-Identifier: Apache-2.0
import ComputeContract
import ComputeCore
import Testing

/// Goal: a server's state machine has no way into a dead end and none out of the end.
/// Method: every state with every event.
@Suite("Server states")
struct ServerStateTests {
    private static let states: [ServerState] = VMState.allCases.flatMap { vm in
        [ServerState(vm)] + ServerTask.allCases.map { ServerState(vm, $0) }
    }

    private static let events: [ServerEvent] = lifeEvents + powerEvents + workEvents + seenEvents

    private static let lifeEvents: [ServerEvent] = [
        .networkRequested, .spawnRequested, .buildFinished, .buildFailed, .deleteRequested, .deleteFinished,
        .reset(.active), .reset(.error),
    ]

    private static let powerEvents: [ServerEvent] = PowerAction.Kind.allCases.flatMap { kind -> [ServerEvent] in
        [.powerRequested(kind), .powerFinished(kind), .powerFailed(kind)]
    }

    private static let seenEvents: [ServerEvent] = [
        .observed(.running), .observed(.shutdown), .observed(.paused), .observed(.suspended), .observed(.crashed),
    ]

    private static let workEvents: [ServerEvent] = ServerWork.allCases.flatMap { work -> [ServerEvent] in
        var events: [ServerEvent] = [.workRequested(work)]
        for task in work.tasks { events.append(.workAdvanced(work, task)) }
        for vm in VMState.allCases { events += [.workFinished(work, vm), .workFailed(work, vm)] }
        return events
    }

    @Test("nothing leaves the end")
    func end() {
        for event in Self.events { #expect(ServerState(.deleted).after(event) == nil, "\(event)") }
    }

    @Test(
        "every living server can be deleted, whatever is being done to it",
        arguments: states.filter { $0.vm != .deleted })
    func deletable(_ state: ServerState) throws {
        let deleting = try #require(state.after(.deleteRequested))
        #expect(deleting.task == .deleting)
        #expect(deleting.after(.deleteFinished) == ServerState(.deleted))
    }

    @Test("a server that is being deleted becomes nothing else", arguments: VMState.allCases)
    func deletingStays(_ vm: VMState) {
        for event in Self.events where event != .deleteRequested && event != .deleteFinished {
            #expect(ServerState(vm, .deleting).after(event) == nil, "\(event)")
        }
    }

    @Test("a power action ends in its result, or where it began", arguments: PowerAction.Kind.allCases)
    func power(_ kind: PowerAction.Kind) throws {
        for vm in VMState.allCases {
            guard let during = ServerState(vm).after(.powerRequested(kind)) else {
                #expect(!kind.origins.contains(vm))
                continue
            }
            #expect(during.after(.powerFinished(kind)) == ServerState(kind.result))
            #expect(during.after(.powerFailed(kind)) == ServerState(vm))
            #expect(during.after(.powerRequested(kind)) == nil)
        }
    }

    @Test("work ends in one of its results, or leaves what was", arguments: ServerWork.allCases)
    func work(_ work: ServerWork) throws {
        for vm in VMState.allCases {
            guard let during = ServerState(vm).after(.workRequested(work)) else {
                #expect(!work.origins.contains(vm))
                continue
            }
            #expect(during.vm == vm && during.task == work.tasks.first)
            for task in work.tasks {
                let next = try #require(during.after(.workAdvanced(work, task)))
                for result in VMState.allCases {
                    let isResult = work.results.contains(result) || (work.results.isEmpty && result == vm)
                    #expect((next.after(.workFinished(work, result)) != nil) == isResult)
                    #expect((next.after(.workFailed(work, result)) != nil) == (result == vm || result == .error))
                }
            }
            // These two overtake whatever is at work.
            if ![.softDelete, .evacuate].contains(work) { #expect(during.after(.workRequested(work)) == nil) }
        }
    }

    @Test("a deletion that may be taken back waits for a move, as its guest is set aside", arguments: VMState.allCases)
    func softDeletion(_ vm: VMState) {
        for task in ServerWork.resize.tasks {
            #expect(ServerState(vm, task).after(.workRequested(.softDelete)) == nil)
            if vm != .deleted { #expect(ServerState(vm, task).after(.deleteRequested) != nil) }
        }
        #expect(ServerState(.active, .rebooting).after(.workRequested(.softDelete)) != nil)
    }

    @Test("what is being worked on does not follow the guest", arguments: states.filter { $0.task != nil })
    func busy(_ state: ServerState) {
        #expect(state.after(.observed(.shutdown)) == nil)
    }

    @Test("the status is the word of upstream's API")
    func status() {
        #expect(ServerState.new.status == "BUILD")
        #expect(ServerState(.active, .rebooting).status == "REBOOT")
        #expect(ServerState(.active, .rebootingHard).status == "HARD_REBOOT")
        #expect(ServerState(.stopped).status == "SHUTOFF")
        #expect(ServerState(.active, .deleting).status == "ACTIVE")
        for state in Self.states where state.vm != .deleted {
            let conditions = ServerState.filter(status: state.status) ?? []
            #expect(conditions.contains { $0.holds(for: state) }, "\(state)")
        }
        for status in ["ACTIVE", "REBUILD", "SHUTOFF", "ERROR", "RESCUE", "SHELVED"] {
            let conditions = ServerState.filter(status: status) ?? []
            for state in Self.states {
                #expect(conditions.contains { $0.holds(for: state) } == (state.status == status), "\(state)")
            }
        }
        #expect(ServerState.filter(status: "rescue")?.isEmpty == false)
        #expect(ServerState.filter(status: "NONSENSE") == nil)
    }
}
