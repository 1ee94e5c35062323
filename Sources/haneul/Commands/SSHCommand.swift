// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// `haneul ssh SERVER [COMMAND …]`: a shell in a guest, over its floating address, from the provider network.
enum SSHCommand {
    static let usage = "haneul ssh [--state DIR] [--user NAME] SERVER [COMMAND …]"

    static func run(_ words: [String]) throws -> Never {
        let arguments = try Arguments(words, valued: ["state", "user"])
        try requireRoot("it enters the cloud's namespaces")
        let state = arguments.state
        guard let server = arguments.operands.first else { throw CommandFailure("Which server? Usage: \(usage)") }
        guard let settings = try state.settings(), let credentials = try state.credentials() else {
            throw CommandFailure("There is no cloud in \(state.directory). `haneul up` makes one.")
        }
        let client = try APIClient(port: settings.port, token: nil).signedIn(
            user: "admin", password: credentials.admin, project: "admin")
        let address = try floatingAddress(of: server, client)
        var command = [
            "ssh", "-i", state.sshKey, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
            "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=10", "\(arguments.value("user") ?? "cirros")@\(address)",
        ]
        command += arguments.operands.dropFirst()
        try ExecCommand.enter(state, provider: true, command)
    }

    private static func floatingAddress(of wanted: String, _ client: APIClient) throws -> String {
        guard let servers = client.request("GET", "/compute/v2.1/servers/detail?all_tenants=1")?.json?["servers"]?.array
        else {
            throw CommandFailure("The cloud did not list its servers. See `haneul status`.")
        }
        let matching = servers.filter { $0["name"]?.string == wanted || $0["id"]?.string == wanted }
        guard let server = matching.first else { throw CommandFailure("There is no server \(wanted).") }
        guard matching.count == 1 else {
            throw CommandFailure("\(matching.count) servers are called \(wanted); give the id.")
        }
        for addresses in server["addresses"]?.object?.values ?? [:].values {
            for entry in addresses.array ?? [] where entry["OS-EXT-IPS:type"] == "floating" {
                if let address = entry["addr"]?.string { return address }
            }
        }
        throw CommandFailure(
            "\(wanted) has no floating address. Give it one: openstack floating ip create public; "
                + "openstack server add floating ip \(wanted) ADDRESS")
    }
}
