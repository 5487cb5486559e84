/** Where entries live; `id` names tenant and namespace in one string. */
export interface Address {
  readonly tenant: string
  readonly namespace: string
  readonly id: string
}

/** Neither name holds a NUL, so no two pairs have one id. */
export function addressOf(tenant: string, namespace: string): Address {
  return { tenant, namespace, id: `${tenant}\0${namespace}` }
}
