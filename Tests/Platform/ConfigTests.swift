// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ConfigKit
import Testing

private enum Mode: String, CaseIterable, ConfigValue { case fast, safe }

private struct ProcessSection: ConfigSection {
    static let section = ""
    static let title = "The process"
    @ConfigOption("Where everything is kept.") var dataDirectory = "/var/lib/haneul"
    init() {}
}

private struct NetworkSection: ConfigSection {
    static let section = "network"
    static let title = "Network"
    @ConfigOption("Domain that names of guests end in.", length: 1...20) var dnsDomain = "local"
    @ConfigOption("Largest MTU.", range: 1280...9216) var maximumMTU = 1500
    @ConfigOption("How long a lease lives.", range: .seconds(60)...(.seconds(86_400))) var leaseTime = Duration.seconds(
        3600)
    @ConfigOption("Name servers.") var nameServers: [String] = []
    @ConfigOption("Whether it is on.") var enabled = false
    @ConfigOption("How careful it is.") var mode = Mode.safe
    @ConfigOption("Password of the database.") var password = Secret("")
    @ConfigOption("Optional.") var zone: String?
    @ConfigOption("Threads.", range: 1...64) var threads: Int?
    @ConfigOption("Segments.") var segments = 1...4094
    @ConfigOption("Names are of words.") var cacheMiB = 1
    @ConfigOption("As are these.") var distributesFloatingIPs = false
    var quota = NetworkQuota()
    init() {}
}

private struct NetworkQuota: ConfigGroup {
    @ConfigOption("Ports of a project.", range: -1...1000) var ports = 500
}

/// Goal: an option has one name in three places, and a mistake is explained. Method: two small sections.
@Suite("Configuration")
struct ConfigTests {
    private func load(
        _ file: String = "", _ environment: [String: String] = [:], _ flags: [String] = []
    ) throws(ConfigError) -> Configuration {
        try Configuration(
            [ProcessSection.self, NetworkSection.self],
            from: ConfigSource(file: ("haneul.yaml", file), environment: environment, flags: flags))
    }

    @Test("defaults hold where nothing is set")
    func defaults() throws {
        let network = try load().section(NetworkSection.self)
        #expect(network.dnsDomain == "local")
        #expect(network.leaseTime == .seconds(3600))
        #expect(network.zone == nil)
    }

    @Test("file, environment and flag set the same option; the flag wins")
    func precedence() throws {
        let file = """
            data-directory: /srv
            network:
              dns-domain: file
              maximum-mtu: 1400
              lease-time: 2m
              name-servers: [1.1.1.1, 9.9.9.9]
              enabled: yes
              password: hidden
            """
        let configuration = try load(
            file, ["HANEUL_NETWORK_DNS_DOMAIN": "environment", "HANEUL_NETWORK_MAXIMUM_MTU": "1450", "OTHER": "x"],
            ["--network-dns-domain", "flag", "--network-mode=fast", "--network-name-servers", "8.8.8.8, 8.8.4.4"])
        let network = configuration.section(NetworkSection.self)
        #expect(configuration.section(ProcessSection.self).dataDirectory == "/srv")
        #expect(network.dnsDomain == "flag")
        #expect(network.maximumMTU == 1450)
        #expect(network.leaseTime == .seconds(120))
        #expect(network.nameServers == ["8.8.8.8", "8.8.4.4"])
        #expect(network.enabled)
        #expect(network.mode == .fast)
        #expect(network.password.reveal() == "hidden")
    }

    @Test("a mistyped name is met with the nearest one")
    func nearest() throws {
        let error = #expect(throws: ConfigError.self) {
            try self.load(
                "netwrk: {}\nnetwork:\n  dns-domian: x\n", ["HANEUL_NETWORK_MODES": "fast"], ["--network-mod", "fast"])
        }
        #expect(
            error?.problems == [
                "haneul.yaml, line 1: unknown option 'netwrk'; did you mean 'network'?",
                "haneul.yaml, line 3: unknown option 'network.dns-domian'; did you mean 'dns-domain'?",
                "environment: unknown option 'HANEUL_NETWORK_MODES'; did you mean 'HANEUL_NETWORK_MODE'?",
                "unknown option '--network-mod'; did you mean '--network-mode'?",
            ])
    }

    @Test(
        "values outside their limits are refused, and secrets are not repeated",
        arguments: [
            ("network: {maximum-mtu: 99999}", "expected number, 1280 to 9216"),
            ("network: {maximum-mtu: many}", "expected number"),
            ("network: {dns-domain: ''}", "1 to 20 bytes"),
            ("network: {mode: wild}", "one of fast, safe"),
            ("network: {lease-time: 5}", "time such as"),
            ("network: {enabled: [yes]}", "expected true or false"),
            ("network: {dns-domain: {a: b}}", "a structure"),
            ("network: {password: [top, secret]}", "a list"),
            ("network: text", "holds options"),
            ("- a", "not a mapping"),
            ("network: {mode: fast, mode: safe}", "repeated"),
            ("a: &a x\nnetwork: {dns-domain: *a}", "aliases"),
        ])
    func refusals(_ file: String, _ part: String) {
        let error = #expect(throws: ConfigError.self) { try self.load(file) }
        #expect(error?.description.contains(part) == true, "\(error?.description ?? "")")
        #expect(error?.description.contains("secret,") != true)
    }

    @Test("a secret is not taken from the command line")
    func secretFlag() {
        let error = #expect(throws: ConfigError.self) { try self.load("", [:], ["--network-password", "hunter2"]) }
        #expect(error?.description.contains("HANEUL_NETWORK_PASSWORD") == true)
        #expect(error?.description.contains("hunter2") == false)
    }

    @Test("a group's name stands before its options', and words are told from acronyms and units")
    func names() throws {
        let file = "network: {quota-ports: 7, cache-mib: 2, distributes-floating-ips: on, segments: 5-9, threads: 3}"
        let network = try load(file, [:], ["--network-quota-ports", "8"]).section(NetworkSection.self)
        #expect(network.quota.ports == 8)
        #expect(network.cacheMiB == 2)
        #expect(network.distributesFloatingIPs)
        #expect(network.segments == 5...9)
        #expect(network.threads == 3)
        for wrong in ["quota-ports: 1001", "quota-port: 1", "segments: 9-5", "segments: -1-5", "threads: 0"] {
            #expect(throws: ConfigError.self) { try self.load("network: {\(wrong)}") }
        }
    }

    @Test("variables of the commands themselves are no options")
    func reserved() throws {
        _ = try load("", ["HANEUL_STATE": "/srv", "HANEUL_LISTEN_DESCRIPTOR": "3"])
        #expect(throws: ConfigError.self) { try self.load("", ["HANEUL_STATES": "/srv"]) }
    }

    @Test("a changed copy leaves the original alone")
    func copies() throws {
        let first = try load().section(NetworkSection.self)
        var second = first
        second.dnsDomain = "other"
        #expect(first.dnsDomain == "local")
    }

    @Test("the reference is a valid file that says the defaults")
    func reference() throws {
        let text = Configuration.reference([NetworkSection.self, ProcessSection.self])
        let network = try load(text).section(NetworkSection.self)
        #expect(network.maximumMTU == 1500)
        #expect(
            text.contains(
                "# number, 1280 to 9216; --network-maximum-mtu, HANEUL_NETWORK_MAXIMUM_MTU\n  maximum-mtu: 1500"))
        #expect(text.contains("  # password:\n"))
    }
}
