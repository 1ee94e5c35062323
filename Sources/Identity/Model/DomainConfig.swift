// SPDX-License-Identifier: Apache-2.0
import BaseKit
import IdentityContract

/// Options that a domain has of its own, in groups. What they may be is upstream's list
/// (keystone: `DomainConfigManager.whitelisted_options`), whatever of it this cloud reads.
package struct DomainConfig: Sendable, Equatable {
    package static let securityGroup = "security_compliance"
    private static let maximumByteCount = 65_536
    private static let sensitive: [String: Set<String>] = ["ldap": ["password"]]

    /// What counts where a domain says nothing.
    static let defaults = DomainConfig(groups: [
        "identity": ["driver": "sql", "list_limit": nil],
        "ldap": [
            "url": "ldap://localhost", "user": nil, "suffix": "cn=example,cn=com", "query_scope": "one", "page_size": 0,
            "alias_dereferencing": "default", "debug_level": nil, "chase_referrals": nil, "user_tree_dn": nil,
            "user_filter": nil, "user_objectclass": "inetOrgPerson", "user_id_attribute": "cn",
            "user_name_attribute": "sn", "user_mail_attribute": "mail", "user_description_attribute": "description",
            "user_pass_attribute": "userPassword", "user_enabled_attribute": "enabled", "user_enabled_invert": false,
            "user_enabled_mask": 0, "user_enabled_default": "True", "user_attribute_ignore": ["default_project_id"],
            "user_default_project_id_attribute": nil, "user_enabled_emulation": false,
            "user_enabled_emulation_dn": nil, "user_enabled_emulation_use_group_config": false,
            "user_additional_attribute_mapping": [], "group_tree_dn": nil, "group_filter": nil,
            "group_objectclass": "groupOfNames", "group_id_attribute": "cn", "group_name_attribute": "ou",
            "group_members_are_ids": false, "group_member_attribute": "member",
            "group_desc_attribute": "description", "group_attribute_ignore": [],
            "group_additional_attribute_mapping": [], "tls_cacertfile": nil, "tls_cacertdir": nil, "use_tls": false,
            "tls_req_cert": "demand", "use_pool": true, "pool_size": 10, "pool_retry_max": 3,
            "pool_retry_delay": .double(0.1), "pool_connection_timeout": -1, "pool_connection_lifetime": 600,
            "use_auth_pool": true, "auth_pool_size": 100, "auth_pool_connection_lifetime": 60,
        ],
    ])

    package var groups: [String: [String: JSON]]

    init(groups: [String: [String: JSON]] = [:]) { self.groups = groups }

    /// Throws `.forbidden` (upstream's `InvalidDomainConfig`) for what is no object of objects.
    package init(_ json: JSON) throws {
        guard case .object(let fields) = json, !fields.isEmpty else { throw Self.invalid("No options specified") }
        groups = try fields.mapValues { [fields] value in
            guard let options = value.object, !options.isEmpty else {
                let name = fields.first { $0.value == value }?.key ?? ""
                throw Self.invalid(
                    "The value of group \(name) specified in the config should be a dictionary of options")
            }
            return options
        }
    }

    var json: JSON { .object(groups.mapValues { .object($0) }) }

    static func isSensitive(_ group: String, _ option: String) -> Bool { sensitive[group]?.contains(option) ?? false }

    /// Throws unless there may be such a group, and such an option in it.
    static func check(_ group: String?, _ option: String?) throws {
        guard let group else { return }
        guard let known = defaults.groups[group] else {
            throw invalid("Group \(group.prefix(64)) is not supported for domain specific configurations")
        }
        guard let option, known[option] == nil, !isSensitive(group, option) else { return }
        throw invalid(
            "Option \(option.prefix(64)) in group \(group) is not supported for domain specific configurations")
    }

    func check() throws {
        for (group, options) in groups {
            for option in options.keys { try Self.check(group, option) }
        }
        // Not read here; passed over in silence, it would let users in whom the directory shuts out.
        let emulation = groups["ldap"]?["user_enabled_emulation"]
        guard emulation?.bool != true, emulation?.string?.lowercased() != "true" else {
            throw Self.invalid("Option user_enabled_emulation in group ldap is not supported by this cloud")
        }
        guard json.text().utf8.count <= Self.maximumByteCount else { throw Self.invalid("The options are too large") }
    }

    /// Throws unless that part is all there is.
    func checkOnly(_ group: String?, _ option: String?) throws {
        guard let group else { return }
        guard groups.count == 1, let options = groups[group] else {
            throw Self.invalid(
                "Trying to update group \(group), so that, and only that, group must be specified in the config")
        }
        guard let option else { return }
        guard options.count == 1, options[option] != nil else {
            throw Self.invalid(
                "Trying to update option \(option) in group \(group), so that, and only that, option must be specified "
                    + " in the config")
        }
    }

    /// All of it, `{group: …}`, or `{option: value}`; nil when that is not there.
    func part(_ group: String?, _ option: String?) -> JSON? {
        guard let group else {
            // Not `? nil :`, which would be the literal of JSON's null.
            guard !groups.isEmpty else { return nil }
            return json
        }
        guard let options = groups[group] else { return nil }
        guard let option else { return .object([group: .object(options)]) }
        return options[option].map { .object([option: $0]) }
    }

    static func invalid(_ reason: String) -> CloudError {
        .forbidden("Invalid domain specific configuration: \(reason).")
    }
}

extension DomainConfig {
    /// What the group `ldap` says, with defaults for what it does not.
    var directorySettings: DirectorySettings {
        var settings = DirectorySettings()
        let options = (Self.defaults.groups["ldap"] ?? [:]).merging(groups["ldap"] ?? [:]) { _, own in own }
        func text(_ name: String) -> String? {
            options[name]?.string.flatMap { $0.isEmpty ? nil : $0 }
        }
        func flag(_ name: String) -> Bool {
            options[name]?.bool ?? (text(name)?.lowercased() == "true")
        }
        func tree(_ name: String, _ unit: String) -> String {
            text(name) ?? "ou=\(unit),\(text("suffix") ?? "")"
        }
        settings.password = text("password").map { Secret($0) }
        settings.url = Self.replacing("%(password)s", in: text("url") ?? "", by: settings.password?.reveal() ?? "")
        settings.bindDN = text("user")
        settings.scope = text("query_scope") == "sub" ? .subtree : .one
        settings.startsTLS = flag("use_tls")
        settings.certificate = text("tls_req_cert").flatMap { DirectorySettings.Certificate(rawValue: $0) } ?? .demand
        settings.caFile = text("tls_cacertfile")
        settings.userTree = tree("user_tree_dn", "Users")
        settings.userFilter = text("user_filter")
        settings.userClass = text("user_objectclass") ?? settings.userClass
        settings.userIDAttribute = text("user_id_attribute") ?? settings.userIDAttribute
        settings.userNameAttribute = text("user_name_attribute") ?? settings.userNameAttribute
        settings.userMailAttribute = text("user_mail_attribute") ?? settings.userMailAttribute
        settings.userDescriptionAttribute = text("user_description_attribute") ?? settings.userDescriptionAttribute
        settings.userEnabledAttribute = text("user_enabled_attribute") ?? settings.userEnabledAttribute
        settings.isEnabledInverted = flag("user_enabled_invert")
        settings.isEnabledByDefault = flag("user_enabled_default")
        settings.groupTree = tree("group_tree_dn", "UserGroups")
        settings.groupFilter = text("group_filter")
        settings.groupClass = text("group_objectclass") ?? settings.groupClass
        settings.groupIDAttribute = text("group_id_attribute") ?? settings.groupIDAttribute
        settings.groupNameAttribute = text("group_name_attribute") ?? settings.groupNameAttribute
        settings.groupDescriptionAttribute = text("group_desc_attribute") ?? settings.groupDescriptionAttribute
        settings.groupMemberAttribute = text("group_member_attribute") ?? settings.groupMemberAttribute
        settings.membersAreIDs = flag("group_members_are_ids")
        return settings
    }

    /// keystone: a secret stands in another option by its name.
    private static func replacing(_ mark: String, in text: String, by value: String) -> String {
        var result = ""
        var rest = text[...]
        while !rest.isEmpty {
            if rest.hasPrefix(mark) {
                result += value
                rest = rest.dropFirst(mark.count)
            } else {
                result.append(rest.removeFirst())
            }
        }
        return result
    }
}
