import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { Said, Told } from '../stampede/messages'

/** One of the processes of a stampede. */
export class CrowdProcess {
  /** When a loader of this process began, by key. */
  readonly loads: { readonly key: string; readonly at: number }[] = []
  readonly #child: ChildProcess
  readonly #onLoad: () => void

  private constructor(child: ChildProcess, onLoad: () => void) {
    this.#child = child
    this.#onLoad = onLoad
    child.on('message', (said: Said) => {
      if (said.is !== 'loading') return
      this.loads.push(said)
      this.#onLoad()
    })
  }

  /** Resolves when it is connected. */
  static async open(told: Told, onLoad: () => void = () => {}): Promise<CrowdProcess> {
    const crowd = new CrowdProcess(fork('bench/.out/stampede.js', [JSON.stringify(told)]), onLoad)
    await crowd.#hear('ready')
    return crowd
  }

  /** Resolves when all its callers are answered; undefined: it was killed before. */
  async stampede(): Promise<Extract<Said, { is: 'answered' }> | undefined> {
    const answered = this.#hear('answered')
    const killed = once(this.#child, 'exit').then(() => undefined)
    this.#child.send('go')
    return Promise.race([answered, killed])
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  async close(): Promise<void> {
    if (!this.#child.connected) return
    const gone = once(this.#child, 'exit')
    this.#child.send('close')
    await gone
  }

  #hear<Is extends Said['is']>(is: Is): Promise<Extract<Said, { is: Is }>> {
    return new Promise((resolve) => {
      this.#child.on('message', (said: Said) => {
        if (said.is === is) resolve(said as Extract<Said, { is: Is }>)
      })
    })
  }
}
