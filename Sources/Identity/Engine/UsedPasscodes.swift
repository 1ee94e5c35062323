// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Synchronization

/// Passcodes that signed somebody in, each of which does so once, and how often somebody guessed at one.
///
/// Six digits are few: without a bound on guesses they would fall within a day. Kept in memory: with several API
/// processes each has its own count, which only multiplies the bound. Who has shown the password is counted apart, so
/// that nobody who only knows a name keeps a user with both from signing in.
final class UsedPasscodes: Sendable {
    private static let maximumGuesses = 10
    private static let guessWindow: Duration = .seconds(300)
    private static let capacity = 10_000

    private struct Record {
        var used: [Secret: Timestamp] = [:]
        /// Wrong ones, by whether the password was shown.
        var guesses: [Bool: Int] = [:]
        var guessesSince: Timestamp

        func isOld(at now: Timestamp) -> Bool {
            guessesSince + UsedPasscodes.guessWindow <= now && used.values.allSatisfy { $0 <= now }
        }
    }

    private let records = Mutex<[UserID: Record]>([:])

    /// Whether the passcode may count. A right one is spent by this. `isProven`: the user has shown the password, too.
    func judge(
        _ user: UserID, _ passcode: Secret, isRight: Bool, isProven: Bool, at now: Timestamp, keeping lifetime: Duration
    ) -> Bool {
        records.withLock { records in
            if records.count >= Self.capacity { records = records.filter { !$0.value.isOld(at: now) } }
            var record = records[user] ?? Record(guessesSince: now)
            defer { records[user] = record }
            if record.guessesSince + Self.guessWindow <= now {
                record.guesses = [:]
                record.guessesSince = now
            }
            record.used = record.used.filter { $0.value > now }
            guard record.guesses[isProven, default: 0] < Self.maximumGuesses else { return false }
            guard isRight, record.used[passcode] == nil else {
                record.guesses[isProven, default: 0] += 1
                return false
            }
            record.used[passcode] = now + lifetime
            return true
        }
    }
}
