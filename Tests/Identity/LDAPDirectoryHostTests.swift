// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc
import IdentityContract
import IdentityDriverLDAP
import LinuxKit
import TestKit
import Testing

/// OpenLDAP's server of the distribution, with a directory of its own below /tmp, on the loopback.
private struct SlapdHost {
    static let slapd = Subprocess.find("slapd")
    static let modules = "/usr/lib/ldap"
    static let schemas = "/etc/ldap/schema"
    static var isPossible: Bool {
        slapd != nil && FileSystem.exists(modules + "/back_mdb.so") && FileSystem.exists(schemas + "/core.schema")
    }

    static let content = """
        dn: dc=test
        objectClass: domain
        dc: test

        dn: ou=Users,dc=test
        objectClass: organizationalUnit
        ou: Users

        dn: ou=Groups,dc=test
        objectClass: organizationalUnit
        ou: Groups

        dn: cn=u1,ou=Users,dc=test
        objectClass: inetOrgPerson
        cn: u1
        sn: ann
        mail: ann@acme.test
        userPassword: in the directory

        dn: cn=u2,ou=Users,dc=test
        objectClass: inetOrgPerson
        cn: u2
        sn: b*(ob)
        description: odd name
        employeeType: FALSE
        userPassword: two

        dn: cn=g1,ou=Groups,dc=test
        objectClass: groupOfNames
        cn: g1
        ou: staff
        member: cn=u1,ou=Users,dc=test

        """

    let url: String

    /// Runs `body` beside a server, which is stopped after it.
    static func run(_ body: (SlapdHost) async throws -> Void) async throws {
        let folder = "/tmp/haneul-slapd-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        try FileSystem.makeDirectories(folder + "/data")
        defer { try? FileSystem.removeTree(folder) }  // Clean-up of a test: the folder is below /tmp.
        let configuration = """
            include \(schemas)/core.schema
            include \(schemas)/cosine.schema
            include \(schemas)/inetorgperson.schema
            modulepath \(modules)
            moduleload back_mdb
            pidfile \(folder)/pid
            database mdb
            suffix dc=test
            rootdn cn=admin,dc=test
            rootpw root
            directory \(folder)/data
            access to attrs=userPassword by anonymous auth by * none
            access to * by dn.exact=cn=u1,ou=Users,dc=test read by * none

            """
        try FileSystem.writeAtomically(folder + "/slapd.conf", configuration)
        try FileSystem.writeAtomically(folder + "/content.ldif", content)
        let program = try #require(slapd)
        try await Subprocess.runChecked(
            program, ["-T", "add", "-f", folder + "/slapd.conf", "-l", folder + "/content.ldif"])
        let url = "ldap://127.0.0.1:\(Int.random(in: 20_000...50_000))"
        let server = try await Subprocess.spawnDaemon(
            program, ["-f", folder + "/slapd.conf", "-h", url, "-d", "0"], logPath: folder + "/log")
        do {
            try await body(SlapdHost(url: url))
        } catch {
            try await server.stop()
            throw error
        }
        try await server.stop()
    }

    /// `u1` may read all.
    var settings: DirectorySettings {
        var settings = DirectorySettings()
        settings.url = url
        settings.bindDN = "cn=u1,ou=Users,dc=test"
        settings.password = Secret("in the directory")
        settings.userTree = "ou=Users,dc=test"
        settings.groupTree = "ou=Groups,dc=test"
        settings.userEnabledAttribute = "employeeType"
        return settings
    }
}

/// Goal: the driver reads users and groups of a real directory, and passes no password that is not theirs.
/// Method: Debian's slapd on the loopback; skipped where the package `slapd` is not installed.
@Suite("LDAP driver on a real directory", .enabled(if: SlapdHost.isPossible, "needs the package slapd"), .serialized)
struct LDAPDirectoryHostTests {
    private func prepared(_ body: (LDAPDirectory, DirectorySettings) async throws -> Void) async throws {
        try await SlapdHost.run { host in
            let directory = LDAPDirectory()
            try await eventually("slapd answers") {
                do {
                    return try await directory.users(host.settings).count == 2
                } catch let error as CloudError where error.code == .unavailable {
                    return false
                }
            }
            try await body(directory, host.settings)
        }
    }

    @Test("users and groups are as the directory has them")
    func reading() async throws {
        try await prepared { directory, settings in
            let users = try await directory.users(settings).sorted { $0.id < $1.id }
            #expect(
                users.first
                    == DirectoryUser(
                        id: "u1", dn: "cn=u1,ou=Users,dc=test", name: "ann", email: "ann@acme.test", description: nil,
                        isEnabled: true))
            #expect(users.last?.isEnabled == false)
            #expect(
                try await directory.groups(settings) == [
                    DirectoryGroup(id: "g1", name: "staff", description: nil, members: ["cn=u1,ou=Users,dc=test"])
                ])
            #expect(try await directory.user(named: "ANN", settings)?.id == "u1")
            #expect(try await directory.user(named: "b*(ob)", settings)?.id == "u2")
            for name in ["*", "an*", "nobody", "ann)(cn=*", ""] {
                #expect(try await directory.user(named: name, settings) == nil, "\(name)")
            }
            var other = settings
            other.userTree = "ou=Nowhere,dc=test"
            #expect(try await directory.users(other) == [])
        }
    }

    @Test("a password is right, wrong, or nobody's; and a reader that may not read is no absence")
    func passwords() async throws {
        try await prepared { directory, settings in
            let ann = try #require(try await directory.user(named: "ann", settings))
            #expect(try await directory.isPassword(Secret("in the directory"), of: ann, settings))
            for wrong in ["", "two", "in the directory "] {
                #expect(try await !directory.isPassword(Secret(wrong), of: ann, settings))
            }
            var other = settings
            other.password = Secret("wrong")
            await #expect(throws: CloudError.self) { try await directory.users(other) }
            other.url = "ldap://127.0.0.1:9"
            await #expect(throws: CloudError.self) { try await directory.users(other) }
        }
    }
}
