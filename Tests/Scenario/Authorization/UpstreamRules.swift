// SPDX-License-Identifier: Apache-2.0
import HTTPKit
import Testing

/// What upstream's defaults let each persona do, written down from upstream's own rules and worked out by upstream's
/// own engine (oslo.policy), with nothing of this product in between.
///
/// A line of a service is: a word of `words`, the rule, and the calls that upstream says the rule guards, `{}` for an
/// id, `(lock)` for an action in the body. An indented line goes on with the one above.
enum UpstreamRules {
    /// Admin, manaGer, Member, Reader, Service of: the project that the thing is of; another project; the domain of
    /// both; another domain; the system. Last, `+`: a token of nothing.
    ///
    /// After a bar: whoever it is, about what is its own, as with lists and most creations.
    ///
    /// Two things differ from what upstream's engine says. For a token without a project, cinder takes `None` for the
    /// name of a project like any other, and finds nothing there; here such a token has no project's rights. And a
    /// token's own word on its domain, where it has none, is left out in the same way.
    private static let words = """
        admin                      A---- A---- ----- ----- ----- -
        member                     AGM-- A---- ----- ----- ----- - | AGM-- AGM-- ----- ----- ----- -
        reader                     AGMR- A---- ----- ----- ----- - | AGMR- AGMR- ----- ----- ----- -
        manager                    AG--- A---- ----- ----- ----- - | AG--- AG--- ----- ----- ----- -
        admin+service              A---S A---S ----- ----- ----- -
        service                    ----S ----S ----- ----- ----- -
        everybody                  AGMRS AGMRS ----- ----- ----- +
        project                    AGMRS AGMRS ----- ----- ----- -
        quota                      AGMRS A---- ----- ----- ----- -
        usage                      AGMRS A---- A---- A---- A---- -
        user                       A-M-- A---- ----- ----- ----- - | AGMRS AGMRS ----- ----- ----- +
        nobody                     ----- ----- ----- ----- ----- -
        anyreader                  AGMR- AGMR- ----- ----- ----- -
        reader+service             AGMRS A---S ----- ----- ----- - | AGMRS AGMRS ----- ----- ----- -
        member+service             AGM-S A---S ----- ----- ----- - | AGM-S AGM-S ----- ----- ----- -
        manager+service            AG--S A---S ----- ----- ----- - | AG--S AG--S ----- ----- ----- -
        cloud.admin                A---- A---- A---- A---- A---- -
        cloud.member               AGM-- A---- A---- A---- A---- - | AGM-- AGM-- A---- A---- A---- -
        cloud.reader               AGMR- A---- A---- A---- A---- - | AGMR- AGMR- A---- A---- A---- -
        sys.admin                  A---- A---- ----- ----- A---- -
        sys.reader                 A---- A---- ----- ----- AGMR- -
        sys.admin+service          A---S A---S ----- ----- A---S -
        cloud.admin+service        A---S A---S A---S A---S A---S -
        dom.manager                A---- A---- AG--- A---- A---- - | A---- A---- AG--- AG--- A---- -
        dom.reader                 A---- A---- AGMR- A---- AGMR- - | A---- A---- AGMR- AGMR- AGMR- -
        dom.reader+user            A-M-- A---- AGMR- A---- AGMR- - | AGMRS AGMRS AGMRS AGMRS AGMRS +
        dom.reader+project         AGMRS A---- AGMR- A---- AGMR- - | AGMRS AGMRS AGMR- AGMR- AGMR- -
        token                      AGMRS AGMRS AGMRS AGMRS AGMRS +
        cloud.admin+user           A-M-- A---- A---- A---- A---- - | AGMRS AGMRS AGMRS AGMRS AGMRS +
        cloud.reader+user          A-M-- A---- A---- A---- AGMR- - | AGMRS AGMRS AGMRS AGMRS AGMRS +
        cloud.reader+user+service  A-M-S A---S A---S A---S AGMRS - | AGMRS AGMRS AGMRS AGMRS AGMRS +
        sys.reader+user            A-M-- A---- ----- ----- AGMR- - | AGMRS AGMRS ----- ----- AGMRS +
        sys.admin+user             A-M-- A---- ----- ----- A---- - | AGMRS AGMRS ----- ----- AGMRS +
        sys.admin+member           A-M-- A---- ----- ----- A---- - | AGM-- AGM-- ----- ----- AGM-- -
        sys.reader+both            A-MR- A---- ----- ----- AGMR- - | AGMRS AGMRS ----- ----- AGMRS +
        sys.reader+trustee         A--R- A---- ----- ----- AGMR- - | AGMRS AGMRS ----- ----- AGMRS +
        onlysys.reader+user        --M-- ----- ----- ----- AGMR- - | AGMRS AGMRS ----- ----- AGMRS +
        onlysys.admin+user         --M-- ----- ----- ----- A---- - | AGMRS AGMRS ----- ----- AGMRS +
        onlyuser                   --M-- ----- ----- ----- ----- - | AGMRS AGMRS ----- ----- ----- +
        domain                     AGMRS AGMRS AGMRS A---- AGMR- - | A---- A---- AGMRS AGMRS AGMR- -
        limit                      AGMRS A---- AGMRS A---- AGMR- - | AGMRS AGMRS AGMRS AGMRS AGMR- -
        role                       AG--- AG--- AG--- AG--- AGMR- -
        roles                      A---- A---- AG--- AG--- AGMR- -
        flavor                     AGMRS A---- A---- A---- A---- - | AGMRS AGMRS AGMRS AGMRS AGMRS +
        owner                      --M-- ----- ----- ----- ----- - | AGMRS AGMRS ----- ----- ----- +
        """

    // MARK: Reading

    /// One picture, by persona.
    typealias Who = [Persona: Bool]

    struct Word: Sendable {
        let name: Substring
        /// About a thing of the owner's.
        let foreign: Who
        /// About what is the caller's own.
        let own: Who
    }

    struct Rule: Sendable {
        /// Nil: upstream has none.
        let name: String?
        let word: Word
        /// `GET /servers/{}`, `POST /servers/{}/action(lock)`.
        var calls: [String]
    }

    struct Misread: Error, CustomStringConvertible {
        let description: String
    }

    static let services: [(type: String, text: String)] = [
        ("identity", identity + "\n" + identityUnruled), ("image", image + "\n" + imageUnruled),
        ("network", network + "\n" + networkUnruled), ("compute", compute + "\n" + computeUnruled),
        ("block-storage", blockStorage + "\n" + blockStorageUnruled), ("placement", placement),
        ("object-storage", ring),
    ]

    /// The object store's devices are of this cloud alone, so what lets administrators at them is said here.
    private static let ring = """
        cloud.admin object_storage:ring:show GET /ring
        cloud.admin object_storage:ring:change POST /ring/devices PATCH /ring/devices/{} DELETE /ring/devices/{}
        cloud.admin object_storage:ring:repair POST /ring/repair
        """

    static func rules(of text: String) throws -> [Rule] {
        let words = try Dictionary(
            uniqueKeysWithValues: Self.words.split(separator: "\n").map { line in
                let word = try Word(line)
                return (word.name, word)
            })
        var rules: [Rule] = []
        var method = ""
        for line in text.split(separator: "\n") {
            var parts = line.split(separator: " ")
            if !line.hasPrefix(" ") {
                guard parts.count >= 2, let word = words[parts[0]] else {
                    throw Misread(description: "no word begins '\(line)'")
                }
                rules.append(Rule(name: parts[1] == "-" ? nil : String(parts[1]), word: word, calls: []))
                parts.removeFirst(2)
            }
            for part in parts {
                if part.hasPrefix("/") {
                    rules[rules.count - 1].calls.append("\(method) \(part)")
                } else {
                    method = String(part)
                }
            }
        }
        return rules
    }
}

extension UpstreamRules.Word {
    fileprivate init(_ line: Substring) throws {
        let halves = line.split(separator: "|")
        let parts = halves[0].split(separator: " ")
        name = parts[0]
        foreign = try Self.who(parts.dropFirst())
        own = halves.count > 1 ? try Self.who(halves[1].split(separator: " ")[...]) : foreign
    }

    private static func who(_ picture: ArraySlice<Substring>) throws -> UpstreamRules.Who {
        let marks = picture.joined()
        guard marks.count == Persona.all.count else {
            throw UpstreamRules.Misread(description: "\(picture) is no picture")
        }
        return Dictionary(uniqueKeysWithValues: zip(Persona.all, marks.map { $0 != "-" }))
    }
}
