// SPDX-License-Identifier: Apache-2.0
import Testing

/// Goal: rules that protect users, or the next developer's day, hold in every file.
/// Method: read the sources as text; each finding names the file, the line and the cure.
@Suite("Tidy")
struct TidyTests {
    /// `Sources/Platform/…` and `Sources/<Service>/Driver…/`.
    private static func isLowLevel(_ path: String) -> Bool {
        let parts = path.split(separator: "/")
        return parts.count > 3 && (parts[1] == "Platform" || parts[2].hasPrefix("Driver"))
    }

    /// Uses whose proof stands farther away, and where. Only ever shorter.
    private static let provenElsewhere: [(path: String, code: String, proof: String)] = [
        (
            "Sources/Platform/CompressionKit/Decompressor.swift", "class BZip2Engine",
            "SAFETY: both engines are used only inside `Decompressor`'s lock"
        )
    ]

    /// Imports that the layers forbid, and why they are there. Only ever shorter.
    private static let toleratedImports: [(path: String, module: String, reason: String)] = [
        (
            "Sources/Image/Model/ImageListQuery.swift", "DatabaseKit",
            "what a project sees is part of the query's conditions; they are to move to Store"
        )
    ]

    private func findings(
        in files: [SourceTree.File], _ isBad: (String, SourceTree.File, Int) -> Bool
    ) -> [String] {
        files.flatMap { file in
            file.code.compactMap { number, text in
                isBad(text, file, number) ? "\(file.path):\(number): \(text.drop { $0 == " " })" : nil
            }
        }
    }

    @Test("tasks are started by LifecycleKit alone; elsewhere use BackgroundTasks, a Service or a task group")
    func unstructuredTasks() throws {
        let bad = try findings(in: SourceTree.load().sources()) { text, file, _ in
            !file.path.hasPrefix("Sources/Platform/LifecycleKit/")
                && text.contains(/(^|[^A-Za-z.])Task(\s*\{|\(|\.detached|<)/)
        }
        #expect(bad == [])
    }

    @Test("no try!, no as!, no forced unwrap; say what happens instead")
    func forced() throws {
        let bad = try findings(in: SourceTree.load().sources()) { text, _, _ in
            text.contains("try!") || text.contains("as!")
                || text.contains(/[\w\)\]]!(?:[\s\.\,\)\]\[]|$)/)
        }
        #expect(bad == [])
    }

    @Test("try? says why on its line")
    func silencedErrors() throws {
        let bad = try findings(in: SourceTree.load().sources()) { text, file, number in
            guard text.contains(/\btry\?/) else { return false }
            let line = file.lines[number - 1]
            return !line.contains("//") && !line.contains("/*")
        }
        #expect(bad == [])
    }

    @Test("unsafe things stand under Platform or a driver, each with its proof beside it in a SAFETY: comment")
    func unsafe() throws {
        let tree = try SourceTree.load()
        var used: Set<String> = []
        let bad = findings(in: tree.sources()) { text, file, number in
            let isUnsafe = text.contains("@unchecked Sendable") || text.contains("nonisolated(unsafe)")
            guard isUnsafe else { return false }
            guard Self.isLowLevel(file.path) else { return true }
            // In the doc comment's place, or as the first words of the type.
            let beside = file.lines[max(0, number - 5)..<min(file.lines.count, number + 2)]
            if beside.contains(where: { $0.contains("// SAFETY:") }) { return false }
            return !Self.provenElsewhere.contains { known in
                guard known.path == file.path, text.contains(known.code),
                    file.lines.contains(where: { $0.contains(known.proof) })
                else { return false }
                used.insert(known.code)
                return true
            }
        }
        #expect(bad == [])
        #expect(Self.provenElsewhere.map(\.code).filter { !used.contains($0) } == [], "no longer needed")
    }

    @Test("Foundation is not imported: it costs memory and start-up time, and hides blocking calls")
    func foundation() throws {
        let bad = try findings(in: SourceTree.load().sources()) { text, _, _ in
            text.hasPrefix("import Foundation")
        }
        #expect(bad == [])
    }

    @Test("nothing prints but the commands; events go to the log")
    func printing() throws {
        let bad = try findings(in: SourceTree.load().sources()) { text, _, _ in text.contains(/(^|\s)print\(/) }
        #expect(bad == [])
    }

    @Test("a module imports only the layers below it, and a model knows nothing of databases")
    func layers() throws {
        var used: Set<String> = []
        let bad = try SourceTree.load().sources().flatMap { file -> [String] in
            let parts = file.path.split(separator: "/")
            guard parts.count > 3, parts[1] != "Platform", parts[1] != "System", parts[1] != "haneul" else { return [] }
            return Self.imports(of: file).compactMap { module in
                guard let cure = Self.cure(module, in: parts.map(String.init)) else { return nil }
                if Self.toleratedImports.contains(where: { $0.path == file.path && $0.module == module }) {
                    used.insert(file.path)
                    return nil
                }
                return "\(file.path) imports \(module): \(cure)"
            }
        }
        #expect(bad == [])
        #expect(Self.toleratedImports.map(\.path).filter { !used.contains($0) } == [], "no longer needed")
    }

    private static func imports(of file: SourceTree.File) -> [String] {
        file.code.compactMap { line in
            line.text.prefixMatch(of: /(?:@\w+ )*(?:public |package |internal |private |fileprivate )?import (\w+)/)
                .map { String($0.1) }
        }
    }

    /// What to do about an import that the layers forbid; nil: they do not.
    private static func cure(_ module: String, in path: [String]) -> String? {
        let (service, layer) = (path[1], path[2])
        if layer == "Model", module.hasPrefix("Database") { return "SQL stands in Store" }
        guard ["Core", "API", "Agent"].contains(where: { module.hasSuffix($0) }) || module.contains("Driver") else {
            return nil
        }
        let isOwnCore = module == service + "Core" && layer == "API"
        // Drivers of one service may share code.
        let isOwnDriver = module.hasPrefix(service + "Driver") && layer.hasPrefix("Driver")
        return isOwnCore || isOwnDriver ? nil : "other services are reached by their Contract"
    }
}
