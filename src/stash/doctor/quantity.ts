export function number(count: number): string {
  return count.toLocaleString('en')
}

/** Of what is there, however little, never 0. */
export function percent(share: number): string {
  const amount = share * 100
  return `${amount > 0 && amount < 1 ? amount.toFixed(2) : Math.round(amount)} %`
}
