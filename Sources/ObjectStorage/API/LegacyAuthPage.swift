// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageCore

/// `/auth/v1.0`: the store's first way to log in, for clients that know no other. Users are the cloud's own:
/// `X-Auth-User: project:user`, `X-Auth-Key: password`.
package struct LegacyAuthPage: Sendable {
    package struct Login: Sendable {
        package var token: String
        package var projectID: ProjectID
        package var expiresAt: Timestamp
        package init(token: String, projectID: ProjectID, expiresAt: Timestamp) {
            self.token = token
            self.projectID = projectID
            self.expiresAt = expiresAt
        }
    }

    /// Throws `.unauthorized` when project, user and password do not go together.
    package typealias LogIn = @Sendable (_ project: String, _ user: String, _ password: Secret) async throws -> Login

    private let logIn: LogIn
    private let rules: AccessRules
    private let clock: WallClock

    package init(rules: AccessRules, clock: WallClock, logIn: @escaping LogIn) {
        self.rules = rules
        self.clock = clock
        self.logIn = logIn
    }

    package func answer(_ request: SwiftRequest) async throws -> SwiftResponse {
        guard request.isRead else { throw SwiftFault(400) }
        guard let name = request.headers["x-auth-user"] ?? request.headers["x-storage-user"],
            let colon = name.firstIndex(ofByte: ":"),
            let key = request.headers["x-auth-key"] ?? request.headers["x-storage-pass"]
        else { throw SwiftFault(401) }
        let login = try await logIn(String(name[..<colon]), String(name.text(after: colon)), Secret(key))
        let account = rules.account(of: login.projectID)
        let remaining = max(0, login.expiresAt.seconds - clock.now().seconds)
        let url = request.origin + "/v1/" + SwiftText.quoted(account)
        return SwiftResponse(
            200,
            headers: [
                "x-auth-token": login.token, "x-storage-token": login.token, "x-storage-url": url,
                "x-auth-token-expires": String(remaining), "content-type": "application/json",
            ],
            body: .bytes(
                JSONWriter.object { writer in
                    writer.object("storage") { storage in
                        storage.field("default", "local")
                        storage.field("local", url)
                    }
                }))
    }
}
