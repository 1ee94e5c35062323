// SPDX-License-Identifier: Apache-2.0
enum CloudsFile { static let path = "x"; static func merge(_ s: SandboxState, port: Int) throws {}; static func remove(from s: SandboxState) throws {} }
