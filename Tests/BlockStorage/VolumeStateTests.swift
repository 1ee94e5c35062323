// SPDX-License-Identifier: Apache-2.0
import BlockStorageCore
import Testing

/// Goal: no way leads into a status that none leads out of. Method: walk the pure state machines.
@Suite("States of volumes")
struct VolumeStateTests {
    @Test("work ends where it began, or in an error that can be left", arguments: VolumeWork.allCases)
    func work(_ work: VolumeWork) throws {
        for origin in work.origins {
            let busy = try #require(VolumeState(origin).after(.workRequested(work)))
            #expect(busy.status == work.status)
            #expect(busy.status.needsRun)
            let done = try #require(busy.after(.workFinished(work)))
            #expect(!done.status.needsRun)
            let failed = try #require(busy.after(.workFailed(work)))
            #expect(!failed.status.needsRun)
            #expect(busy.after(.workRequested(.extend)) == nil)
        }
    }

    @Test("everything can be deleted by force, and what is at rest by its owner")
    func delete() {
        for status in VolumeStatus.allCases {
            #expect(VolumeState(status).after(.deleteForced) == VolumeState(.deleting))
        }
        #expect(VolumeState(.available).after(.deleteRequested) == VolumeState(.deleting))
        #expect(VolumeState(.inUse).after(.deleteRequested) == nil)
        #expect(VolumeState(.creating).after(.deleteRequested) == nil)
    }

    @Test("the status is what the attachments say")
    func attachments() {
        #expect(VolumeState.settled([], isMultiattach: false) == .available)
        #expect(VolumeState.settled([.attached], isMultiattach: false) == .inUse)
        #expect(VolumeState.settled([.attached, .reserved], isMultiattach: true) == .reserved)
        #expect(VolumeState.settled([.attached, .reserved], isMultiattach: false) == .inUse)
        #expect(VolumeState.settled([.attached, .detaching], isMultiattach: true) == .detaching)
        #expect(VolumeState.settled([.attached, .detaching], isMultiattach: false) == .detaching)
        let busy = VolumeState(.backingUp, previous: .inUse)
        #expect(busy.after(.attachmentsChanged([], isMultiattach: false)) == VolumeState(.backingUp, previous: .available))
        #expect(VolumeState(.error).after(.attachmentsChanged([.attached], isMultiattach: false)) == VolumeState(.error))
    }

    @Test("a snapshot in the middle of something comes out of it")
    func snapshots() {
        #expect(VolumeSnapshotStatus.creating.after(.createFailed) == .error)
        #expect(VolumeSnapshotStatus.available.after(.deleteRequested) == .deleting)
        #expect(VolumeSnapshotStatus.deleting.after(.deleteFailed) == .errorDeleting)
        #expect(VolumeSnapshotStatus.creating.after(.deleteRequested) == nil)
        #expect(VolumeSnapshotStatus.restoring.after(.restoreEnded) == .available)
    }
}
