import { type ChildProcess, fork } from 'node:child_process'
import type { Answer, Question, Spent } from '../app/messages'
import type { Places, StackName } from '../app/stores/stack'

/** The app on one of its stacks, in a process of its own: what that spends is the app's, and nothing of who visits it. */
export class AppProcess {
  readonly #child: ChildProcess
  readonly port: number

  private constructor(child: ChildProcess, port: number) {
    this.#child = child
    this.port = port
  }

  /** Resolves when it listens. */
  static async open(stack: StackName, places: Places): Promise<AppProcess> {
    const child = fork('bench/.out/app.js', [stack, JSON.stringify(places)], { serialization: 'advanced' })
    const { port } = await answerOf(child, 'listening')
    return new AppProcess(child, port)
  }

  /** Begins to count; the answer ends it. */
  async start(): Promise<() => Promise<Spent>> {
    await this.#ask('start', 'started')
    return async () => (await this.#ask('stop', 'stopped')).spent
  }

  async close(): Promise<void> {
    await this.#ask('close', 'closed')
  }

  #ask<Is extends Answer['is']>(question: Question, is: Is) {
    const answer = answerOf(this.#child, is)
    this.#child.send(question)
    return answer
  }
}

/** Fails where the process ends instead. */
function answerOf<Is extends Answer['is']>(child: ChildProcess, is: Is): Promise<Extract<Answer, { is: Is }>> {
  return new Promise((resolve, reject) => {
    const hear = (answer: Answer) => {
      child.off('exit', end)
      if (answer.is === is) resolve(answer as Extract<Answer, { is: Is }>)
      else reject(new Error(`The app said ${answer.is}, not ${is}`))
    }
    const end = (code: number | null) => {
      child.off('message', hear)
      reject(new Error(`The app ended with ${code}`))
    }
    child.once('message', hear).once('exit', end)
  })
}
