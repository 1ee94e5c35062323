// SPDX-License-Identifier: Apache-2.0
import Glibc

// The composition root: the only module that imports everything.

let usage = """
    Haneul: OpenStack in one binary.

    A cloud on this machine (state in \(SandboxState.defaultDirectory), or --state DIR, or HANEUL_STATE):
      haneul up [--port N] [--guest-image FILE] [--reach] [--uplink nat]
                              bring it up, or resume it
      haneul status [--json]  all parts and their health
      haneul exec [--provider] -- COMMAND …
                              run a command in the cloud's host, or outside it on its provider network
      haneul ssh [--user NAME] SERVER [COMMAND …]
                              a shell in a guest
      haneul ring [--json]    devices of the object store, and whether it is whole
      haneul ring add PATH|HOST:PORT/PATH [--zone ZONE] [--weight WEIGHT] [--class CLASS]
      haneul ring set NUMBER [--weight WEIGHT] [--zone ZONE] [--class CLASS]
      haneul ring remove NUMBER [--force]
      haneul ring repair      compare all replicas now
      haneul down             stop it; guests and data stay
      haneul purge            remove every trace of it

    The cloud alone, in the foreground and in this network namespace, for who looks after its host (`haneul up` does):
      haneul serve [--state DIR] [--port N] [--fake] [--OPTION VALUE …]
                              --fake: with no hypervisor and no data plane, for tests of the APIs

    On another host, disks for the object store of a cloud; `haneul ring add ADDRESS:PORT/DIR` takes them in:
      haneul storage --listen ADDRESS:PORT --directory DIR [--directory DIR …] --key-file FILE [--state DIR]
                              serve them, in the foreground; FILE has 64 hexadecimal digits, the same on all hosts

    What can be set, in STATE/haneul.yaml and STATE/policy/, with HANEUL_… variables, or as flags of `haneul serve`:
      haneul config reference print every option at its default
      haneul policy reference [SERVICE]
                              print every rule of access at its default
    """

let words = Array(CommandLine.arguments.dropFirst())
/// `haneul up --help`; what follows `--` is somebody else's.
let asksForHelp = words.prefix { $0 != "--" }.contains { $0 == "--help" || $0 == "-h" }
do {
    switch asksForHelp ? nil : words.first {
    case "up": try UpCommand.run(Array(words.dropFirst()))
    case "down": try DownCommand.run(Array(words.dropFirst()))
    case "purge": try PurgeCommand.run(Array(words.dropFirst()))
    case "status": try StatusCommand.run(Array(words.dropFirst()))
    case "exec": try ExecCommand.run(Array(words.dropFirst()))
    case "ssh": try SSHCommand.run(Array(words.dropFirst()))
    case "ring": try RingCommand.run(Array(words.dropFirst()))
    case "host-init": try SandboxHost.run(Array(words.dropFirst()))
    case "prepare-switch": try await PrepareSwitchCommand.run()
    case "config": try ConfigCommand.run(Array(words.dropFirst()))
    case "policy": try PolicyCommand.run(Array(words.dropFirst()))
    case "serve": try await ServeCommand.run(Array(words.dropFirst()))
    case "storage": try await StorageCommand.run(Array(words.dropFirst()))
    case "save-guests": try await SaveGuestsCommand.run(Array(words.dropFirst()))
    case nil, "help": Terminal.say(usage)
    case let other?: throw CommandFailure("There is no command `\(other)`.\n\n\(usage)")
    }
} catch let failure as CommandFailure {
    Terminal.complain(failure.description)
    exit(1)
} catch {
    Terminal.complain("\(error)")
    exit(1)
}
