// SPDX-License-Identifier: Apache-2.0
import BaseKit

// Objects that only Block Storage itself names. Those that others name are in the Contract.

package enum VolumeTypeTag {}
package typealias VolumeTypeID = ID<VolumeTypeTag>
package enum QoSSpecsTag {}
package typealias QoSSpecsID = ID<QoSSpecsTag>
package enum VolumeGroupTag {}
package typealias VolumeGroupID = ID<VolumeGroupTag>
package enum GroupTypeTag {}
package typealias GroupTypeID = ID<GroupTypeTag>
package enum GroupSnapshotTag {}
package typealias GroupSnapshotID = ID<GroupSnapshotTag>
package enum VolumeTransferTag {}
package typealias VolumeTransferID = ID<VolumeTransferTag>
package enum VolumeMessageTag {}
package typealias VolumeMessageID = ID<VolumeMessageTag>
package enum VolumeKeyTag {}
/// `encryption_key_id`.
package typealias VolumeKeyID = ID<VolumeKeyTag>
