// SPDX-License-Identifier: Apache-2.0
import CYAML

/// Reads one YAML document by libyaml's events. Bounded; duplicate keys, complex keys and second documents are errors.
package struct YAMLReader: ~Copyable {
    // SAFETY: libyaml keeps the parser's own address inside it, so it must never move. Freed in deinit, only there.
    private let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
    private let limits: YAMLLimits
    private var left: Int
    private var anchors: [String: YAMLNode] = [:]

    /// Nil when the document is empty.
    package static func read(_ text: String, _ limits: YAMLLimits = YAMLLimits()) throws(YAMLError) -> YAMLNode? {
        let bytes = Array(text.utf8)
        guard bytes.count <= limits.bytes else {
            throw YAMLError(message: "the document is larger than \(limits.bytes) bytes", line: 1)
        }
        var reader = YAMLReader(limits)
        let result = bytes.withUnsafeBufferPointer { buffer -> Result<YAMLNode?, YAMLError> in
            // SAFETY: the parser reads the buffer only inside this closure.
            yaml_parser_set_input_string(reader.parser, buffer.baseAddress, buffer.count)
            do throws(YAMLError) { return .success(try reader.document()) } catch { return .failure(error) }
        }
        return try result.get()
    }

    private init(_ limits: YAMLLimits) {
        self.limits = limits
        left = limits.nodes
        precondition(yaml_parser_initialize(parser) == 1, "no memory for the YAML parser")
    }

    deinit {
        yaml_parser_delete(parser)
        parser.deallocate()
    }

    // MARK: Events

    private enum Event {
        case end, documentStart, documentEnd, sequenceEnd, mappingEnd
        case alias(String)
        case scalar(String, isPlain: Bool, isBlock: Bool, anchor: String?)
        case sequence(isFlow: Bool, anchor: String?)
        case mapping(isFlow: Bool, anchor: String?)
    }

    private struct Mark {
        var line: Int
        var column: Int
        init(_ mark: yaml_mark_t) {
            line = mark.line
            column = mark.column
        }
    }

    private typealias Step = (event: Event, start: Mark, end: Mark)

    private mutating func next() throws(YAMLError) -> Step {
        var event = yaml_event_t()
        guard yaml_parser_parse(parser, &event) == 1 else {
            let problem = parser.pointee.problem.map { String(cString: $0) } ?? "not readable"
            throw YAMLError(message: problem, line: Int(parser.pointee.problem_mark.line) + 1)
        }
        defer { yaml_event_delete(&event) }
        let (start, end) = (Mark(event.start_mark), Mark(event.end_mark))
        switch event.type {
        case YAML_STREAM_START_EVENT: return try next()
        case YAML_DOCUMENT_START_EVENT: return (.documentStart, start, end)
        case YAML_DOCUMENT_END_EVENT: return (.documentEnd, start, end)
        case YAML_SEQUENCE_END_EVENT: return (.sequenceEnd, start, end)
        case YAML_MAPPING_END_EVENT: return (.mappingEnd, start, end)
        case YAML_ALIAS_EVENT:
            return (.alias(Self.text(event.data.alias.anchor) ?? ""), start, end)
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            // SAFETY: libyaml gives the length with the pointer; both live until the event is deleted.
            let value = String(
                decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
            let isBlock = scalar.style == YAML_LITERAL_SCALAR_STYLE || scalar.style == YAML_FOLDED_SCALAR_STYLE
            let isPlain = scalar.style == YAML_PLAIN_SCALAR_STYLE
            return (.scalar(value, isPlain: isPlain, isBlock: isBlock, anchor: Self.text(scalar.anchor)), start, end)
        case YAML_SEQUENCE_START_EVENT:
            let sequence = event.data.sequence_start
            let isFlow = sequence.style == YAML_FLOW_SEQUENCE_STYLE
            return (.sequence(isFlow: isFlow, anchor: Self.text(sequence.anchor)), start, end)
        case YAML_MAPPING_START_EVENT:
            let mapping = event.data.mapping_start
            let isFlow = mapping.style == YAML_FLOW_MAPPING_STYLE
            return (.mapping(isFlow: isFlow, anchor: Self.text(mapping.anchor)), start, end)
        default: return (.end, start, end)
        }
    }

    private static func text(_ pointer: UnsafeMutablePointer<yaml_char_t>?) -> String? {
        pointer.map { String(cString: $0) }
    }

    // MARK: Nodes

    private mutating func document() throws(YAMLError) -> YAMLNode? {
        guard case .documentStart = try next().event else { return nil }
        let node = try node(try next(), depth: 0)
        guard case .documentEnd = try next().event else {
            throw YAMLError(message: "expected the end of the document", line: node.lastLine + 1)
        }
        let last = try next()
        guard case .end = last.event else {
            throw YAMLError(message: "only one document is read", line: last.start.line + 1)
        }
        return node
    }

    private mutating func node(_ step: Step, depth: Int) throws(YAMLError) -> YAMLNode {
        let line = step.start.line + 1
        guard depth < limits.depth else { throw YAMLError(message: "nested too deeply", line: line) }
        switch step.event {
        case .scalar(let text, let isPlain, let isBlock, let anchor):
            try spend(1, line)
            // A block scalar's end is where the next token stands.
            let last = isBlock && step.end.column == 0 ? max(step.start.line, step.end.line - 1) : step.end.line
            return keep(
                YAMLNode(
                    content: .scalar(text, isPlain: isPlain), firstLine: step.start.line, lastLine: last,
                    column: step.start.column, keyLine: step.start.line, keyColumn: 0, isFlow: false, size: 1), anchor)
        case .sequence(let isFlow, let anchor):
            try spend(1, line)
            return keep(try sequence(step, isFlow, depth), anchor)
        case .mapping(let isFlow, let anchor):
            try spend(1, line)
            return keep(try mapping(step, isFlow, depth), anchor)
        case .alias(let name):
            guard limits.allowsAliases else { throw YAMLError(message: "aliases are not supported", line: line) }
            guard let target = anchors[name] else { throw YAMLError(message: "unknown alias '\(name)'", line: line) }
            try spend(target.size, line)
            return YAMLNode(
                content: target.content, firstLine: step.start.line, lastLine: step.end.line,
                column: step.start.column, keyLine: step.start.line, keyColumn: 0, isFlow: true, size: target.size)
        default: throw YAMLError(message: "unexpected structure", line: line)
        }
    }

    private mutating func sequence(_ step: Step, _ isFlow: Bool, _ depth: Int) throws(YAMLError) -> YAMLNode {
        var nodes: [YAMLNode] = []
        var size = 1
        while true {
            let item = try next()
            if case .sequenceEnd = item.event {
                return YAMLNode(
                    content: .sequence(nodes), firstLine: step.start.line,
                    lastLine: isFlow ? item.end.line : nodes.last?.lastLine ?? step.start.line,
                    column: step.start.column, keyLine: step.start.line, keyColumn: 0, isFlow: isFlow, size: size)
            }
            let node = try node(item, depth: depth + 1)
            size += node.size
            nodes.append(node)
        }
    }

    private mutating func mapping(_ step: Step, _ isFlow: Bool, _ depth: Int) throws(YAMLError) -> YAMLNode {
        var pairs: [(key: String, value: YAMLNode)] = []
        var keys: Set<String> = []
        var size = 1
        while true {
            let item = try next()
            if case .mappingEnd = item.event {
                return YAMLNode(
                    content: .mapping(pairs), firstLine: step.start.line,
                    lastLine: isFlow ? item.end.line : pairs.last?.value.lastLine ?? step.start.line,
                    column: step.start.column, keyLine: step.start.line, keyColumn: 0, isFlow: isFlow, size: size)
            }
            let line = item.start.line + 1
            guard case .scalar(let key, _, _, _) = item.event else {
                throw YAMLError(message: "a key must be text", line: line)
            }
            guard keys.insert(key).inserted else {
                throw YAMLError(message: "the key '\(key)' is repeated", line: line)
            }
            var value = try node(try next(), depth: depth + 1)
            (value.keyLine, value.keyColumn) = (item.start.line, item.start.column)
            size += value.size + 1
            pairs.append((key, value))
        }
    }

    private mutating func spend(_ nodes: Int, _ line: Int) throws(YAMLError) {
        left -= nodes
        if left < 0 { throw YAMLError(message: "more than \(limits.nodes) values", line: line) }
    }

    private mutating func keep(_ node: YAMLNode, _ anchor: String?) -> YAMLNode {
        if let anchor, limits.allowsAliases { anchors[anchor] = node }
        return node
    }
}
