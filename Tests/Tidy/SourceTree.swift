// SPDX-License-Identifier: Apache-2.0
import LinuxKit

/// The project's own Swift files, as text.
struct SourceTree {
    struct File {
        let path: String
        let lines: [Substring]

        /// Lines without what stands in comments and string literals of one line, so that a rule sees code alone.
        var code: [(number: Int, text: String)] {
            var inLongString = false
            return lines.enumerated().map { index, line in
                if line.contains("\"\"\"") {
                    inLongString = line.components(of: "\"\"\"") % 2 == 1 ? !inLongString : inLongString
                    return (index + 1, "")
                }
                return (index + 1, inLongString ? "" : Self.strip(line))
            }
        }

        private static func strip(_ line: Substring) -> String {
            var result = ""
            var inString = false
            var previous: Character = " "
            for character in line {
                if character == "\"" && previous != "\\" {
                    inString.toggle()
                } else if !inString {
                    if character == "/" && previous == "/" { return String(result.dropLast()) }
                    result.append(character)
                }
                previous = previous == "\\" && character == "\\" ? " " : character
            }
            return result
        }
    }

    let files: [File]

    static func load() throws -> SourceTree {
        // Tests/Tidy/SourceTree.swift stands three folders deep.
        let root = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }
        var files: [File] = []
        func walk(_ folder: String) throws {
            for name in try FileSystem.list("\(root)/\(folder)").sorted() {
                let path = "\(folder)/\(name)"
                if try FileSystem.status("\(root)/\(path)")?.isDirectory == true {
                    try walk(path)
                } else if name.hasSuffix(".swift"), let text = try FileSystem.text("\(root)/\(path)") {
                    files.append(File(path: path, lines: text.split(separator: "\n", omittingEmptySubsequences: false)))
                }
            }
        }
        try walk("Sources")
        try walk("Tests")
        return SourceTree(files: files)
    }

    func sources(under prefixes: [String] = ["Sources/"]) -> [File] {
        files.filter { file in prefixes.contains { file.path.hasPrefix($0) } }
    }
}

extension Substring {
    /// How often `part` stands in this text.
    fileprivate func components(of part: String) -> Int {
        var count = 0
        var rest = self
        while let range = rest.firstRange(of: part) {
            count += 1
            rest = rest[range.upperBound...]
        }
        return count
    }
}
