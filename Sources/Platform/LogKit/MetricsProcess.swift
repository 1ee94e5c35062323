// SPDX-License-Identifier: Apache-2.0
import Glibc

extension MetricsRegistry {
    /// Adds what every dashboard asks of a process: memory, processor time, open files.
    package func addProcessMetrics() {
        computed("process_resident_memory_bytes", "Memory in use, shared pages included.") {
            Double(Self.firstNumbers(ofFile: "/proc/self/statm", count: 2).last ?? 0)
                * Double(sysconf(Int32(_SC_PAGESIZE)))
        }
        computed("process_cpu_seconds_total", "Processor time used.", type: "counter") {
            var usage = rusage()
            getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
            let seconds = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec
            return Double(seconds) + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6
        }
        computed("process_open_fds", "Open file descriptors.") {
            guard let directory = opendir("/proc/self/fd") else { return 0 }
            defer { closedir(directory) }
            var count = 0
            while readdir(directory) != nil { count += 1 }
            // Without `.`, `..` and the descriptor of this directory itself.
            return Double(max(0, count - 3))
        }
    }

    private static func firstNumbers(ofFile path: String, count: Int) -> [Int] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return [] }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 256)
        let length = read(file, &bytes, bytes.count)
        guard length > 0 else { return [] }
        return String(decoding: bytes[..<length], as: UTF8.self)
            .split(separator: " ").prefix(count).compactMap { Int($0) }
    }
}
