// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import PlacementContract

/// Who has which resources, and who holds them.
///
/// Every change of a provider names the generation that was seen and advances it, so that two who change the same
/// provider cannot both win. Whoever may call is decided by the routes: providers belong to nobody.
package struct PlacementEngine: Sendable {
    let database: any Database
    package let clock: WallClock
    let ids: IDSource
    let providers = ProviderStore()
    let inventories = InventoryStore()
    let allocations = AllocationStore()
    let names = PlacementNameStore()

    package init(database: any Database, clock: WallClock, ids: IDSource) {
        self.database = database
        self.clock = clock
        self.ids = ids
    }

    /// Throws `.notFound`.
    func require(_ id: ResourceProviderID, _ tx: any Transaction) throws -> ResourceProvider {
        guard let provider = try providers.provider(id, tx) else { throw PlacementErrors.noProvider(id) }
        return provider
    }

    /// The provider as it is after one more change. Throws `.conflict` when another change came first.
    func advance(_ provider: ResourceProvider, at time: Timestamp, _ tx: any Transaction) throws -> ResourceProvider {
        guard try providers.advance(provider.id, from: provider.generation, at: time, tx) else {
            throw PlacementErrors.generationConflict
        }
        var advanced = provider
        advanced.generation += 1
        advanced.updatedAt = time
        return advanced
    }
}
