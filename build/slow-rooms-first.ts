import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Whose files take longest, by what they wait for: begun last, one of them would keep everybody waiting for its end. */
const slowRooms = ['properties', 'conformance', 'cli', 'faults', 'hosts', 'package']

/** Where nothing is known of an earlier run, as in a new clone, vitest goes by the size of the files. */
export class SlowRoomsFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const isSlow = ({ moduleId }: TestSpecification) => slowRooms.some((room) => moduleId.includes(`/test/${room}/`))
    return [...sorted.filter(isSlow), ...sorted.filter((file) => !isSlow(file))]
  }
}
