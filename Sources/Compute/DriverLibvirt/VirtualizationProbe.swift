// SPDX-License-Identifier: Apache-2.0
import LifecycleKit
import LinuxKit
import LogKit

/// Finds out whether KVM runs guests here, by running one. A `/dev/kvm` that opens is no proof.
struct VirtualizationProbe: Sendable {
    static let timeLimit = Duration.seconds(3)

    let emulator: String
    let stateDirectory: String
    private let queue = KeyedSerialQueue<Int>("virtualization probe")
    private let log = Logger("libvirt")

    init(emulator: String, stateDirectory: String) {
        self.emulator = emulator
        self.stateDirectory = stateDirectory
    }

    /// The answer is kept until the host boots again, since a KVM that hangs costs the whole time limit.
    func result() async throws -> LibvirtConfig.Virtualization {
        try await queue.run(0) {
            // Small files, once in the life of a process.
            let boot = try FileSystem.text("/proc/sys/kernel/random/boot_id") ?? ""
            let path = "\(stateDirectory)/virtualization"
            let known = try FileSystem.text(path)?.split(separator: " ").map(String.init) ?? []
            if known.count == 2, known[0] == boot, let result = LibvirtConfig.Virtualization(rawValue: known[1]) {
                return result
            }
            let result: LibvirtConfig.Virtualization = try await kvmRuns() ? .kvm : .qemu
            try FileSystem.writeAtomically(path, "\(boot) \(result.rawValue)\n", durably: false)
            return result
        }
    }

    private func kvmRuns() async throws -> Bool {
        guard FileSystem.exists("/dev/kvm") else {
            log.info("guests are emulated", ["reason": "there is no /dev/kvm"])
            return false
        }
        if let reason = try await failure(accelerator: "kvm") {
            log.warning("guests are emulated: KVM is there but runs no guest", ["reason": reason])
            return false
        }
        log.info("guests run by KVM")
        return true
    }

    /// Runs the probe's guest. Nil: it did what it should.
    func failure(accelerator: String) async throws -> String? {
        let firmware = "\(stateDirectory)/probe-\(accelerator).bin"
        try FileSystem.writeAtomically(firmware, ProbeFirmware.image, durably: false)
        defer { try? FileSystem.removeTree(firmware) }  // A file left behind is overwritten by the next probe.
        do {
            let result = try await Subprocess.run(
                emulator,
                [
                    "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-machine",
                    "pc,accel=\(accelerator)", "-m", "16", "-bios", firmware, "-device",
                    "isa-debug-exit,iobase=0xf4,iosize=4",
                ], timeout: Self.timeLimit)
            if result.status == ProbeFirmware.successStatus { return nil }
            return "status \(result.status): \(result.errorText.suffix(500))"
        } catch let error where !(error is CancellationError) {
            return "\(error)"
        }
    }
}
