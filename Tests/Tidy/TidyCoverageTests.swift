// SPDX-License-Identifier: Apache-2.0
import Testing

/// Goal: what must be tested in every case is: sagas walk, drivers conform, no migration is left out.
/// Method: names in the sources are looked for in the tests, as text.
@Suite("Tidy coverage")
struct TidyCoverageTests {
    private func names(_ pattern: Regex<(Substring, Substring)>, in files: [SourceTree.File]) -> [String] {
        files.flatMap { file in file.code.compactMap { $0.text.firstMatch(of: pattern).map { String($0.1) } } }
    }

    @Test("every saga goes through the standard walks: add a test with SagaWalk.all")
    func sagas() throws {
        let tree = try SourceTree.load()
        let sagas = names(/(?:enum|struct) (\w+): Saga\b/, in: tree.sources())
        let walked = Set(names(/SagaWalk\.all\((\w+)\.self\)/, in: tree.sources(under: ["Tests/"])))
        #expect(!sagas.isEmpty)
        #expect(sagas.filter { !walked.contains($0) } == [])
    }

    /// Protocols with a fake and a real side that are tested each on its own. Only ever shorter.
    private static let withoutSuite = ["BackupStore", "ShareMounter", "UserDirectory"]

    @Test("every driver protocol has a conformance suite, run on the fake and, in HostTests, on a real one")
    func drivers() throws {
        let tree = try SourceTree.load()
        let tests = tree.sources(under: ["Tests/"])
        let protocols = Set(names(/protocol (\w+)\b/, in: tree.sources()))
        let suites = Set(names(/struct (\w+)Conformance\b/, in: tests))
        let drivers = suites.union(protocols.filter { $0.hasSuffix("Driver") })
        #expect(!drivers.isEmpty)
        #expect(suites.subtracting(protocols) == [], "suites of nothing")
        #expect(Self.withoutSuite.filter { suites.contains($0) || !protocols.contains($0) } == [], "no longer so")
        for driver in drivers.sorted() {
            let users = tests.filter { file in file.code.contains { $0.text.contains("\(driver)Conformance(") } }
            #expect(users.contains { $0.path.hasSuffix("HostTests.swift") }, "\(driver): no real one")
            #expect(users.contains { !$0.path.hasSuffix("HostTests.swift") }, "\(driver): not the fake")
        }
    }

    @Test("every migration is in its service's list")
    func migrations() throws {
        let tree = try SourceTree.load()
        let migrations = tree.sources().filter { $0.path.contains("/Store/Migrations/M") }
        #expect(!migrations.isEmpty)
        let forgotten = migrations.filter { file in
            let parts = file.path.split(separator: "/")
            let name = parts[parts.count - 1].dropLast(".swift".count)
            let list = tree.files.first { $0.path == "Sources/\(parts[1])/Store/\(parts[1])Migrations.swift" }
            return list?.code.contains { $0.text.contains("\(name).migration") } != true
        }
        #expect(forgotten.map(\.path) == [])
    }
}
