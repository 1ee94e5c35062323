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

    private static let events: [ServerEvent] =
        [.networkRequested, .spawnRequested, .buildFinished, .buildFailed, .deleteRequested, .deleteFinished]
        + PowerAction.Kind.allCases.flatMap { [.powerRequested($0), .powerFinished($0), .powerFailed($0)] }
        + [.reset(.active), .reset(.error)]
        + [.observed(.running), .observed(.shutdown), .observed(.paused), .observed(.suspended), .observed(.crashed)]

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
            #expect(ServerState.filter(status: state.status)?.vm == state.vm)
        }
        #expect(ServerState.filter(status: "NONSENSE") == nil)
    }
}
