// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// Tests write ids as they are: `store.load("server-1")`. The program never does.
extension ID: ExpressibleByStringLiteral {
    package init(stringLiteral value: String) { self.init(value) }
}
