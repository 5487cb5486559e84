import type { FailureKinds } from '../../coalescing/failure-kinds'
import { byField } from './encoding-failure'
import { isDataFailure } from './transient-failure'

/** What PostgreSQL's failures are to the lanes. */
export const rowFailures: FailureKinds = {
  isOfOneRow: isDataFailure,
  toldOf: (error, { address, key }) => byField(error, address, key),
}
