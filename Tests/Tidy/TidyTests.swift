// SPDX-License-Identifier: Apache-2.0
import Testing

/// Goal: rules that protect users, or the next developer's day, hold in every file.
/// Method: read the sources as text; each finding names the file, the line and the cure.
@Suite("Tidy")
struct TidyTests {
    private static func isLowLevel(_ path: String) -> Bool {
        path.hasPrefix("Sources/Platform/") || path.contains("/Driver") || path.hasPrefix("Sources/haneul/")
    }

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

    @Test("unsafe things stand under Platform or a driver, with a proof in a SAFETY: comment")
    func unsafe() throws {
        let tree = try SourceTree.load()
        let bad = findings(in: tree.sources()) { text, file, _ in
            let isUnsafe = text.contains("@unchecked Sendable") || text.contains("nonisolated(unsafe)")
            guard isUnsafe else { return false }
            return !Self.isLowLevel(file.path) || !file.lines.contains { $0.contains("SAFETY:") }
        }
        #expect(bad == [])
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

    @Test("a module imports only the layers below it")
    func layers() throws {
        let bad = try SourceTree.load().sources().flatMap { file -> [String] in
            let parts = file.path.split(separator: "/")
            guard parts.count > 3, parts[1] != "Platform", parts[1] != "System", parts[1] != "haneul" else { return [] }
            let service = String(parts[1])
            return file.lines.filter { $0.hasPrefix("import ") }.compactMap { line in
                let module = line.dropFirst("import ".count)
                guard ["Core", "API", "Agent"].contains(where: { module.hasSuffix($0) }) || module.contains("Driver")
                else { return nil }
                let isOwnCore = module == service + "Core" && parts[2] == "API"
                // Drivers of one service may share code.
                let isOwnDriver = module.hasPrefix(service + "Driver") && parts[2].hasPrefix("Driver")
                return isOwnCore || isOwnDriver
                    ? nil : "\(file.path) imports \(module): other services are reached by their Contract"
            }
        }
        #expect(bad == [])
    }
}
