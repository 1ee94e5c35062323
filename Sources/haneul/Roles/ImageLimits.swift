// SPDX-License-Identifier: Apache-2.0
import BaseKit
import IdentityCore
import ImageCore

/// Identity's unified limits, for Image.
struct ImageLimits: ImageQuotaSource {
    let limits: LimitEngine

    func limits(of project: ProjectID) async throws -> [String: Int] {
        try await limits.effective(forServicesOf: "image", project: project)
    }
}
