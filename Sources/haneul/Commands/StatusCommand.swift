// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// `haneul status`: every part of the cloud and how it is. The exit status is 0 when all are well.
enum StatusCommand {
    static func run(_ words: [String]) throws {
        let arguments = try Arguments(words, valued: ["state"], flags: ["json"])
        try requireRoot("the cloud's state is private")
        let state = arguments.state
        guard let settings = try state.settings() else {
            throw CommandFailure("There is no cloud in \(state.directory). `haneul up` makes one.")
        }
        guard let host = state.runningHost() else {
            throw CommandFailure("down: the cloud in \(state.directory) is stopped. `haneul up` resumes it.")
        }
        guard let answer = APIClient(port: settings.port, token: nil).request("GET", "/healthz"),
            let health = answer.json
        else {
            throw CommandFailure(
                "The host runs (process \(host)), its API does not answer on 127.0.0.1:\(settings.port); "
                    + "see \(state.logDirectory)/haneul/haneul.log.")
        }
        if arguments.has("json") {
            Terminal.say(health.text())
        } else {
            Terminal.say("cloud      \(state.directory), process \(host), http://127.0.0.1:\(settings.port)")
            for part in health["parts"]?.array ?? [] {
                let name = part["name"]?.string ?? "?"
                let mark = part["healthy"]?.bool == true ? "ok  " : "DOWN"
                let padding = String(repeating: " ", count: max(1, 22 - name.count))
                Terminal.say("\(mark) \(name)\(padding)\(part["detail"]?.string ?? "")")
            }
        }
        guard answer.status == 200 else { throw CommandFailure("Some parts are down.") }
    }
}
