// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

/// One line per service below: each gets the same modules, in the same folders, with the same rules of import.
struct Service {
    var name: String
    /// Contracts of other services that this one's Core (and Agent) may use.
    var uses: [String] = []
    /// Contracts of other services whose values this one's messages carry.
    var contractUses: [String] = []
    var hasAgent = false
    /// Kits of the agent besides those that every agent has.
    var agentKits: [Target.Dependency] = []
    /// Kits of Core and API besides those that every service has.
    var kits: [Target.Dependency] = []
    /// Drivers by name, each with the C module that it alone imports.
    var drivers: [String: [Target.Dependency]] = [:]

    var targets: [Target] {
        let contract = "\(name)Contract"
        let others = uses.map { Target.Dependency(stringLiteral: "\($0)Contract") }
        var targets: [Target] = [
            .target(
                name: contract,
                dependencies: ["BaseKit"] + (hasAgent ? ["MessagingKit"] : [])
                    + contractUses.map { .init(stringLiteral: "\($0)Contract") },
                path: "Sources/\(name)/Contract"),
            .target(
                name: "\(name)Core",
                dependencies: [
                    .init(stringLiteral: contract), "BaseKit", "LogKit", "LifecycleKit", "DatabaseKit", "TaskKit",
                    "QuotaKit", "PolicyKit", "MessagingKit", "SecurityKit", "ConfigKit", "PatternKit",
                ] + kits + others,
                path: "Sources/\(name)",
                exclude: ["API", "Contract"] + (hasAgent ? ["Agent"] : []) + drivers.keys.sorted().map { "Driver\($0)" },
                sources: ["Model", "Store", "Engine"]),
            .target(
                name: "\(name)API",
                dependencies: [.init(stringLiteral: "\(name)Core"), .init(stringLiteral: contract), "APIKit"]
                    + kits + others,
                path: "Sources/\(name)/API"),
        ]
        if hasAgent {
            targets.append(
                .target(
                    name: "\(name)Agent",
                    dependencies: [
                        .init(stringLiteral: contract), "BaseKit", "LogKit", "LifecycleKit", "MessagingKit", "LinuxKit",
                        "SecurityKit", "HTTPKit", "HTTPServer",
                    ] + agentKits + others,
                    path: "Sources/\(name)/Agent"))
        }
        for (driver, libraries) in drivers.sorted(by: { $0.key < $1.key }) {
            targets.append(
                .target(
                    name: "\(name)Driver\(driver)",
                    dependencies: [
                        .init(stringLiteral: contract), "BaseKit", "LogKit", "LifecycleKit", "LinuxKit", "ConfigKit",
                    ] + libraries,
                    path: "Sources/\(name)/Driver\(driver)"))
        }
        return targets
    }
}

let services = [
    Service(name: "Identity", drivers: ["LDAP": ["CLDAP"]]),
    Service(name: "Image"),
    Service(name: "Placement"),
    Service(
        name: "BlockStorage", uses: ["Compute", "Image", "Identity"], hasAgent: true,
        drivers: [
            // What the others share: QEMU's tools, checks of images.
            "Kit": ["ImageContract"],
            "Files": ["ImageContract", "BlockStorageDriverKit"], "ISCSI": ["ImageContract", "BlockStorageDriverKit"],
            "NFS": ["ImageContract", "BlockStorageDriverKit", "BlockStorageDriverFiles"],
            "RBD": ["ImageContract", "BlockStorageDriverKit", "CRBD"],
        ]),
    Service(
        name: "Compute", uses: ["Image", "Placement", "Network", "BlockStorage", "Identity"],
        contractUses: ["BlockStorage"], hasAgent: true,
        drivers: ["Libvirt": ["CLibvirt", "SecurityKit", "BlockStorageContract", "ImageContract"]]),
    Service(
        name: "Network", uses: ["Compute", "Identity"], hasAgent: true, agentKits: ["OVSDBKit"],
        drivers: ["OVN": ["OVSDBKit"]]),
    Service(
        name: "ObjectStorage", uses: ["Identity"], kits: ["HTTPKit", "CompressionKit"],
        drivers: [
            "Disk": ["DatabaseKit", "DatabaseSQLite", "SecurityKit", "CLinux"], "Rados": ["SecurityKit", "CRados"],
            "Remote": ["SecurityKit", "HTTPKit", "HTTPClient"],
        ]),
]

let system: [Target] = [
    .systemLibrary(name: "CCurl", path: "Sources/System/CCurl", pkgConfig: "libcurl"),
    .systemLibrary(name: "CMicroHTTPD", path: "Sources/System/CMicroHTTPD", pkgConfig: "libmicrohttpd"),
    .systemLibrary(name: "CPCRE2", path: "Sources/System/CPCRE2"),
    .systemLibrary(name: "CSQLite", path: "Sources/System/CSQLite", pkgConfig: "sqlite3"),
    .systemLibrary(name: "COpenSSL", path: "Sources/System/COpenSSL", pkgConfig: "openssl"),
    .systemLibrary(name: "CZlib", path: "Sources/System/CZlib", pkgConfig: "zlib"),
    .systemLibrary(name: "CBZip2", path: "Sources/System/CBZip2"),
    .systemLibrary(name: "CCrypt", path: "Sources/System/CCrypt", pkgConfig: "libxcrypt"),
    .systemLibrary(name: "CLibvirt", path: "Sources/System/CLibvirt", pkgConfig: "libvirt"),
    .systemLibrary(name: "CLDAP", path: "Sources/System/CLDAP"),
    .systemLibrary(name: "CRBD", path: "Sources/System/CRBD"),
    .systemLibrary(name: "CRados", path: "Sources/System/CRados"),
    .systemLibrary(name: "CWslay", path: "Sources/System/CWslay"),
    .systemLibrary(name: "CYAML", path: "Sources/System/CYAML", pkgConfig: "yaml-0.1"),
    .target(name: "CLinux", path: "Sources/System/CLinux"),
]

/// A module of `Sources/Platform`.
func platform(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, path: "Sources/Platform/\(name)")
}

let kits: [Target] = [
    platform("BaseKit"),
    platform("LogKit", ["BaseKit"]),
    platform("LifecycleKit", ["BaseKit", "LogKit", "CLinux"]),
    platform("ConfigKit", ["BaseKit", "CYAML"]),
    platform("PatternKit", ["BaseKit", "CPCRE2"]),
    platform("SecurityKit", ["BaseKit", "LifecycleKit", "COpenSSL", "CCrypt"]),
    platform("LinuxKit", ["BaseKit", "LogKit", "LifecycleKit", "CLinux"]),
    platform("DatabaseKit", ["BaseKit", "LogKit", "LifecycleKit"]),
    platform("DatabaseSQLite", ["BaseKit", "LogKit", "LifecycleKit", "DatabaseKit", "CSQLite"]),
    platform("MessagingKit", ["BaseKit", "LogKit", "LifecycleKit"]),
    platform("TaskKit", ["BaseKit", "LogKit", "LifecycleKit", "DatabaseKit"]),
    platform("PolicyKit", ["BaseKit"]),
    platform("QuotaKit", ["BaseKit", "DatabaseKit", "PolicyKit"]),
    platform("OVSDBKit", ["BaseKit", "LogKit", "LifecycleKit", "CLinux"]),
    platform("HTTPKit", ["BaseKit"]),
    platform("CompressionKit", ["CZlib", "CBZip2"]),
    platform("HTTPServer", ["BaseKit", "LogKit", "LifecycleKit", "HTTPKit", "CMicroHTTPD", "CWslay", "CLinux", "COpenSSL"]),
    platform("HTTPClient", ["BaseKit", "LogKit", "LifecycleKit", "HTTPKit", "CCurl"]),
    platform("APIKit", ["BaseKit", "LogKit", "HTTPKit", "PolicyKit", "ConfigKit"]),
]

let serviceTargets = services.flatMap(\.targets)

/// Everything, for the composition root and for tests.
let everything = (kits + serviceTargets).map { Target.Dependency(stringLiteral: $0.name) }

let package = Package(
    name: "haneul",
    targets: system + kits + serviceTargets + [
        .executableTarget(name: "haneul", dependencies: everything + ["CLinux"], path: "Sources/haneul"),
        .target(name: "TestKit", dependencies: everything, path: "Tests/TestKit"),
    ]
        + [
            "Platform", "Identity", "Image", "Placement", "BlockStorage", "Compute", "Network", "ObjectStorage", "Tidy",
        ].map {
            .testTarget(name: "\($0)Tests", dependencies: everything + ["TestKit"], path: "Tests/\($0)")
        } + [
            // The whole cloud as the program composes it.
            .testTarget(
                name: "ScenarioTests", dependencies: everything + ["TestKit", "haneul"], path: "Tests/Scenario")
        ],
    swiftLanguageModes: [.v6]
)
