/** What becomes of a JSON text in JavaScript: all of it; something near; or, of numbers, what JSON could not say again. */
export type Fidelity = 'exact' | 'inexact' | 'none'

/** Deeper, and JSON.stringify ends on its stack; and so do others who read the value. */
const deepest = 1_000

/** Doubles have 17 digits; PostgreSQL's numbers end somewhere, too. */
const longestNumber = 1_000

/**
 * How much of a JSON text JSON.parse keeps: numbers beyond a double's digits come out as their neighbours, and of two members with one name the
 * last stays. Numbers that come out as an infinity, or as 0 although they are not, and what is nested too deep, are more than inexact.
 * @param text that JSON.parse takes
 */
export function fidelityOf(text: string): Fidelity {
  return new Walk(text).run()
}

class Walk {
  readonly #text: string
  /** For each object that is open its names; null for an array. */
  readonly #open: (Set<string> | null)[] = []
  #at = 0
  #isExact = true

  constructor(text: string) {
    this.#text = text
  }

  run(): Fidelity {
    while (this.#at < this.#text.length) {
      if (!this.#step(this.#text[this.#at] as string)) return 'none'
    }
    return this.#isExact ? 'exact' : 'inexact'
  }

  /** False: no double, or too deep. */
  #step(char: string): boolean {
    if (char === '"') this.#string()
    else if (char === '-' || (char >= '0' && char <= '9')) return this.#number()
    else this.#other(char)
    return this.#open.length <= deepest
  }

  #other(char: string): void {
    if (char === '{') this.#open.push(new Set())
    else if (char === '[') this.#open.push(null)
    else if (char === '}' || char === ']') this.#open.pop()
    this.#at += 1
  }

  #string(): void {
    const from = this.#at
    this.#at = endOfString(this.#text, from)
    const names = this.#open.at(-1)
    if (!names || !this.#isName()) return
    const name = JSON.parse(this.#text.slice(from, this.#at)) as string
    if (names.has(name)) this.#isExact = false
    names.add(name)
  }

  /** A string with a colon behind it. */
  #isName(): boolean {
    const colon = /\s*:/y
    colon.lastIndex = this.#at
    return colon.test(this.#text)
  }

  #number(): boolean {
    const from = this.#at
    while (/[-+.eE\d]/.test(this.#text[this.#at] ?? '')) this.#at += 1
    const literal = this.#text.slice(from, this.#at)
    const value = Number(literal)
    if (literal.length > longestNumber || !Number.isFinite(value)) return false
    const [digits, exponent] = decimal(literal)
    if (value === 0) return digits === ''
    const [told, toldExponent] = decimal(String(value))
    if (digits !== told || exponent !== toldExponent) this.#isExact = false
    return true
  }
}

function endOfString(text: string, from: number): number {
  let at = from + 1
  for (;;) {
    const quote = text.indexOf('"', at)
    let slashes = 0
    while (text[quote - 1 - slashes] === '\\') slashes += 1
    if (slashes % 2 === 0) return quote + 1
    at = quote + 1
  }
}

/** The digits without zeros at their ends, and how many places the point stands behind the first of them; no digits: 0. */
function decimal(literal: string): [digits: string, exponent: number] {
  const [, whole, fraction = '', power = '0'] = /^-?(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(
    literal,
  ) as unknown as string[]
  const all = `${whole}${fraction}`
  const leading = /^0*/.exec(all)?.[0].length as number
  const digits = all.slice(leading).replace(/0+$/, '')
  return [digits, digits === '' ? 0 : (whole as string).length - leading + Number(power)]
}
