/** Where entries, sessions or counters live; `id` names tenant, namespace and kind in one string. */
export interface Address {
  readonly tenant: string
  readonly namespace: string
  readonly id: string
}

/** No name holds a NUL, so no two addresses have one id. */
export function addressOf(
  tenant: string,
  namespace: string,
  kind: '' | 'session' | 'counter' | 'limits' = '',
): Address {
  return { tenant, namespace, id: `${tenant}\0${namespace}${kind === '' ? '' : `\0${kind}`}` }
}
