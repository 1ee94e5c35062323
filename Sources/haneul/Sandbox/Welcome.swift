// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc
import LinuxKit

/// The first `up` of a cloud: a guest image and a key pair, through the API like anybody. Later ones do nothing, so what
/// the owner removes stays away.
struct Welcome {
    static let imageName = "guest"
    static let keyName = "haneul"
    /// It passes through memory; larger ones are for `openstack image create`.
    static let maximumImageBytes: Int64 = 1 << 30

    let state: SandboxState
    let settings: SandboxState.Settings

    func run() throws {
        guard !FileSystem.exists(state.welcomeFile), let credentials = try state.credentials() else { return }
        let client = APIClient(port: settings.port, token: nil)
        if FileSystem.exists(state.guestImage) {
            try upload(client.signedIn(user: "admin", password: credentials.admin, project: "admin"))
        }
        try importKey(client.signedIn(user: "demo", password: credentials.demo, project: "demo"))
        try FileSystem.writeAtomically(state.welcomeFile, "")
    }

    private func upload(_ client: APIClient) throws {
        if client.request("GET", "/image/v2/images?name=\(Self.imageName)&status=active")?.json?["images"]?.array?
            .isEmpty == false
        {
            return
        }
        guard let size = try FileSystem.status(state.guestImage)?.size, size <= Self.maximumImageBytes else {
            throw CommandFailure(
                "The guest image is larger than \(Self.maximumImageBytes) bytes: upload it with `openstack image create`.")
        }
        let draft: JSON = [
            "name": .string(Self.imageName), "disk_format": "qcow2", "container_format": "bare", "visibility": "public",
            "min_ram": 64,
        ]
        guard let image = client.request("POST", "/image/v2/images", body: draft.text())?.json?["id"]?.string,
            let bytes = try FileSystem.read(state.guestImage, limit: Int(Self.maximumImageBytes))
        else { throw CommandFailure("The guest image was not accepted; see \(state.logDirectory)/haneul/haneul.log.") }
        let answer = client.request(
            "PUT", "/image/v2/images/\(image)/file", bytes: bytes, type: "application/octet-stream", seconds: 120)
        guard answer?.status == 204 else {
            throw CommandFailure("The guest image was not stored (status \(answer?.status ?? 0)).")
        }
    }

    private func importKey(_ client: APIClient) throws {
        if !FileSystem.exists(state.sshKey) {
            let folder = state.sshKey.prefix(upTo: state.sshKey.lastIndex(of: "/") ?? state.sshKey.endIndex)
            try FileSystem.makeDirectories(String(folder), mode: 0o700)
            let process = try HostProcess.spawn(
                ["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-C", "haneul", "-f", state.sshKey],
                output: .file(state.logDirectory + "/haneul/setup.log"))
            guard HostProcess.wait(process) == 0 else { throw CommandFailure("ssh-keygen made no key.") }
        }
        guard let key = FileSystem.readable(state.sshKey + ".pub") else {
            throw CommandFailure("The SSH key is missing.")
        }
        let draft: JSON = ["keypair": ["name": .string(Self.keyName), "public_key": .string(key)]]
        let answer = client.request("POST", "/compute/v2.1/os-keypairs", body: draft.text())
        guard let status = answer?.status, (200..<300).contains(status) || status == 409 else {
            throw CommandFailure("The key pair was not accepted (status \(answer?.status ?? 0)).")
        }
    }
}
