// SPDX-License-Identifier: Apache-2.0
import Glibc
import LinuxKit

/// `haneul down`: saves the guests' memory, stops everything, keeps all data.
enum DownCommand {
    static let limitSeconds = 120

    static func run(_ words: [String]) throws {
        let arguments = try Arguments(words, valued: ["state"])
        try requireRoot("it stops the cloud's processes")
        defer { Reach.complainUnlessRemoved(arguments.state) }
        guard try stop(arguments.state) else {
            Terminal.say("The cloud in \(arguments.state.directory) is down already.")
            return
        }
        Terminal.say("Stopped. `haneul up` resumes it, guests and data included.")
    }

    /// False when it was down. Asks the host's first process, and ends it when it takes too long: the kernel then ends
    /// every process and removes every interface of the host.
    static func stop(_ state: SandboxState) throws -> Bool {
        guard let host = state.runningHost() else { return false }
        kill(host, SIGTERM)
        for _ in 0..<(limitSeconds * 10) where state.runningHost() != nil { usleep(100_000) }
        if state.runningHost() != nil {
            Terminal.complain("The host did not stop within \(limitSeconds) s; ending it.")
            kill(host, SIGKILL)
            for _ in 0..<100 where state.runningHost() != nil { usleep(100_000) }
        }
        unlink(state.processFile)
        return true
    }
}

/// `haneul purge`: stops the cloud and removes every trace of it.
enum PurgeCommand {
    static func run(_ words: [String]) throws {
        let arguments = try Arguments(words, valued: ["state"])
        try requireRoot("it removes the cloud's files")
        let state = arguments.state
        guard FileSystem.exists(state.directory) else {
            Terminal.say("There is no cloud in \(state.directory).")
            return
        }
        guard FileSystem.exists(state.settingsFile) else {
            throw CommandFailure("\(state.directory) holds no cloud of Haneul's; nothing was removed.")
        }
        // Killed at once: nobody wants the guests' memory saved now.
        if let host = state.runningHost() {
            kill(host, SIGKILL)
            for _ in 0..<100 where state.runningHost() != nil { usleep(100_000) }
        }
        Reach.complainUnlessRemoved(state)
        if let credentials = try state.credentials() { try CloudsFile.ofCaller.remove(credentials) }
        try FileSystem.removeTree(state.directory)
        Terminal.say("Removed the cloud in \(state.directory) and its entries in clouds.yaml.")
    }
}
