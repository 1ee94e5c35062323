// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ConfigKit
import DatabaseSQLite
import LinuxKit
import NetworkContract
import NetworkCore
import PolicyKit
import SecurityKit
import TestKit
import Testing

@testable import haneul

/// Goal: what an operator sets reaches the services, and a mistake stops the start with its place and cure.
/// Method: files in a directory of their own, read as `haneul serve` reads them.
@Suite("What the operator sets")
struct OperatorSettingsTests {
    private static func write(_ text: String, to path: String) throws {
        try FileSystem.makeDirectories(String(path.prefix(upTo: path.lastIndex(of: "/") ?? path.endIndex)))
        try FileSystem.writeAtomically(path, text, durably: false)
    }

    /// The settings of a state directory with these files.
    private static func load(
        _ files: [String: String] = [:], environment: [String: String] = [:], flags: [String] = []
    ) async throws -> OperatorSettings {
        try await withTemporaryDirectory { directory in
            for (name, text) in files { try write(text, to: "\(directory)/\(name)") }
            return try OperatorSettings.load(
                SandboxState(directory: directory), environment: environment, flags: flags)
        }
    }

    private static func problem(_ files: [String: String]) async -> String {
        do {
            _ = try await load(files)
            return ""
        } catch {
            return "\(error)"
        }
    }

    /// A cloud that runs nothing.
    private static func cloud(_ settings: OperatorSettings) async throws -> (cloud: Cloud, origin: String) {
        try await withTemporaryDirectory { directory in
            var foundation = Cloud.Foundation(
                database: try SQLiteDatabase.inMemory(), credentialKeys: [FernetKey()],
                network: FakeNetworkDriver(), objectDevices: .inMemory(), imageDirectory: directory,
                origin: "http://127.0.0.1:1")
            foundation.apply(settings)
            return (try await Cloud(foundation), foundation.origin)
        }
    }

    @Test("file, environment and flags reach the services")
    func options() async throws {
        let settings = try await Self.load(
            [
                "haneul.yaml":
                    "public-url: https://cloud.test\ncompute: {quota-cores: 7}\nimage: {maximum-tags: 3}\nblock-storage: {default-zone: here, quota-volumes: 3}\n"
            ],
            environment: ["HANEUL_NETWORK_PHYSICAL_MTU": "9000", "HANEUL_STATE": "elsewhere"],
            flags: ["--image-maximum-tags", "4", "--network-physical-networks", "blue:5-9,red"])
        let (cloud, origin) = try await Self.cloud(settings)
        #expect(origin == "https://cloud.test")
        #expect(cloud.compute.config.quota.limits["cores"] == 7)
        #expect(cloud.volumes.config.defaultZone == "here" && cloud.volumes.config.quota.limits["volumes"] == 3)
        #expect(cloud.network.config.physicalMTU == 9000)
        #expect(cloud.images.config.maximumTags == 4)
        #expect(cloud.network.config.vlans(of: "blue") == 5...9)
        #expect(cloud.network.config.vlans(of: "red") == 1...4094)
        #expect(cloud.network.config.vlans(of: "physnet1") == nil)
    }

    @Test("the reference of options is a file that changes nothing")
    func optionReference() async throws {
        let text = Configuration.reference(OperatorSettings.sections)
        let loaded = try await Self.load(["haneul.yaml": text])
        let again = try await Self.load()
        for section in OperatorSettings.sections {
            #expect(Self.values(of: section, loaded) == Self.values(of: section, again))
        }
    }

    private static func values(of section: any ConfigSection.Type, _ settings: OperatorSettings) -> String {
        func describe<Section: ConfigSection>(_: Section.Type) -> String {
            "\(settings.configuration.section(Section.self))"
        }
        return describe(section)
    }

    @Test(
        "an address that is none is refused",
        arguments: [
            "cloud.test", "ftp://cloud.test", "http://", "http://a/b", "http://a b", "https://a/", "http://a\"b",
        ])
    func badOrigin(_ url: String) async throws {
        await #expect(throws: ConfigError.self) { try await Self.load(flags: ["--public-url", url]) }
    }

    @Test("an operator's check takes the place of the default in its own service")
    func policies() async throws {
        let settings = try await Self.load([
            "policy/compute.yaml": """
            # Only auditors see lists.
            "auditor": "role:auditor"
            "os_compute_api:servers:index": "rule:auditor or rule:context_is_admin"
            "os_compute_api:servers:create": "!"
            """,
            "policy/README.md": "Not a policy.",
        ])
        let apis = try await Self.cloud(settings).cloud.apis
        let compute = try #require(apis.first { $0.serviceType == "compute" }).enforcer
        let checks = Dictionary(uniqueKeysWithValues: compute.rules.map { ($0.name.rawValue, $0.check) })
        #expect(checks["os_compute_api:servers:index"] == "rule:auditor or rule:context_is_admin")
        #expect(checks["os_compute_api:servers:create"] == "!")
        #expect(checks["os_compute_api:servers:show"] == "rule:project_reader_or_admin")
        #expect(compute.knows("auditor"))
        for api in apis where api.serviceType != "compute" { #expect(!api.enforcer.knows("auditor")) }
    }

    @Test("a folder elsewhere holds the policies when the option says so")
    func policyDirectory() async throws {
        try await withTemporaryDirectory { directory in
            try Self.write("get_network: role:auditor", to: "\(directory)/network.yaml")
            let settings = try await Self.load(flags: ["--policy-directory", directory])
            #expect(settings.policies["network"] == ["get_network": "role:auditor"])
            #expect(settings.policies["compute"] == [:])
        }
    }

    @Test(
        "a bad policy file is named, with the rule and the reason",
        arguments: [
            (
                "compute.yaml", "os_compute_api:servers:indx: role:admin",
                "rule 'os_compute_api:servers:indx': the service has no such rule; "
                    + "did you mean 'os_compute_api:servers:index'?"
            ),
            (
                "compute.yaml", "os_compute_api:servers:index: (role:admin",
                "rule 'os_compute_api:servers:index': a ')' is missing"
            ),
            ("network.yaml", "get_network: admin", "rule 'get_network': 'admin' is not kind:match"),
            ("network.yaml", "get_network: rule:nobody", "'get_network' refers to 'nobody', which does not exist"),
            ("network.yaml", "get_network: rule:get_network", "'get_network' refers to itself"),
            (
                "block-storage.yaml", "volume:gett: role:admin",
                "rule 'volume:gett': the service has no such rule; did you mean 'volume:get'?"
            ),
            ("image.yaml", "\nget_image: !", "line 2: rule 'get_image': the check must be text between quotes"),
            ("image.yaml", "get_image:", "the check must be text between quotes"),
            ("image.yaml", "get_image: [[\"role:admin\"]]", "the check must be text between quotes"),
            ("image.yaml", "get_image: @", "line 1"),
            ("image.yaml", "get_image", "expected \"rule\": \"check\""),
            ("image.yaml", "get_image: 'role:a'\nget_image: 'role:b'", "repeated"),
            ("nova.yaml", "a: b", "there is no service 'nova'"),
            ("compute.json", "{}", "ends in .yaml"),
        ])
    func badPolicy(_ file: String, _ text: String, _ reason: String) async throws {
        let problem = await Self.problem(["policy/\(file)": text])
        #expect(problem.contains("/policy/\(file): "))
        #expect(problem.contains(reason), "\(problem)")
    }

    @Test("every bad file is named at once")
    func severalProblems() async throws {
        let problem = await Self.problem(["policy/compute.yaml": "a: b", "policy/image.yaml": "c: d"])
        #expect(problem.contains("compute.yaml") && problem.contains("image.yaml"))
    }

    @Test("the reference of rules is a policy file, and with its comments taken off it says the defaults")
    func policyReference() async throws {
        for (service, rules) in OperatorPolicies.services {
            let text = PolicyCommand.reference(service, rules)
            let bare = text.split(separator: "\n").map { $0.hasPrefix("#\"") ? String($0.dropFirst()) : String($0) }
            let settings = try await Self.load(["policy/\(service).yaml": bare.joined(separator: "\n")])
            let expected = Dictionary(uniqueKeysWithValues: rules.map { ($0.name.rawValue, $0.check) })
            #expect(settings.policies[service] == expected)
            #expect(try await Self.load(["policy/\(service).yaml": text]).policies[service] == [:])
        }
    }

    @Test("options of `serve` itself are taken, the rest goes to the configuration in order")
    func arguments() throws {
        let arguments = try Arguments(
            ["--network-physical-mtu", "1400", "--state", "/srv", "--fake", "--log-level=debug", "stray"],
            valued: ["state", "port"], flags: ["fake"], passing: true)
        #expect(arguments.others == ["--network-physical-mtu", "1400", "--log-level=debug", "stray"])
        #expect(arguments.state.directory == "/srv" && arguments.has("fake"))
        #expect(throws: CommandFailure.self) { try Arguments(["--log-level=debug"], valued: ["state"]) }
    }
}
