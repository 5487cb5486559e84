/** Opens once every scope has arrived. */
export class Barrier {
  #scopesLeft: number
  readonly #open: () => void

  constructor(scopes: number, open: () => void) {
    this.#scopesLeft = scopes
    this.#open = open
  }

  arrive(): void {
    this.#scopesLeft -= 1
    if (this.#scopesLeft === 0) this.#open()
  }
}
