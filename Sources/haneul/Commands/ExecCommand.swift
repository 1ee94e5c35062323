// SPDX-License-Identifier: Apache-2.0
import Glibc

/// `haneul exec [--provider] -- CMD …`: inside the cloud's host, or outside it on its provider network.
enum ExecCommand {
    static let usage = "haneul exec [--state DIR] [--provider] -- COMMAND [ARGUMENT …]"

    static func run(_ words: [String]) throws -> Never {
        let arguments = try Arguments(words, valued: ["state"], flags: ["provider"])
        try requireRoot("it enters the cloud's namespaces")
        guard !arguments.operands.isEmpty else { throw CommandFailure("Nothing to run. Usage: \(usage)") }
        try enter(arguments.state, provider: arguments.has("provider"), arguments.operands)
    }

    static func enter(_ state: SandboxState, provider: Bool, _ command: [String]) throws -> Never {
        guard let host = state.runningHost() else {
            throw CommandFailure("The cloud in \(state.directory) is down. `haneul up` starts it.")
        }
        var words = ["nsenter", "--target", "\(host)", "--net", "--mount", "--uts", "--pid", "--"]
        if provider { words += ["ip", "netns", "exec", SandboxHost.providerNamespace] }
        try HostProcess.replace(with: words + command)
    }
}
