import { ownCopy } from '../entry/kept-name'
import type { Address } from './address'
import { Barrier } from './order/barrier'
import { IdleTurns } from './order/idle-turns'
import { Scope } from './order/scope'

/** More of these than anybody uses at once; beyond it, namespaces nobody waits for are forgotten. */
const idleScopesKept = 1_000

/**
 * Program order, per key and within this process: a read asked after a write of the same key sees it, also when nobody
 * awaited the write; a read asked before a write does not. A write on a whole namespace or tenant (clear, delete by
 * prefix) runs after all that was asked before it, and before all after.
 */
export class ProgramOrder {
  readonly #scopes = new Map<string, Scope>()
  readonly #idleTurns = new IdleTurns(() => {
    for (const scope of this.#scopes.values()) scope.forgetIdleTurns()
  })
  /** Clears of whole tenants under way, each with the namespaces first used meanwhile: they have to wait for it. */
  readonly #tenantClears = new Set<{ readonly tenant: string; readonly latecomers: Scope[] }>()

  scopeOf(address: Address): Scope {
    const known = this.#scopes.get(address.id)
    if (known !== undefined) return known
    if (this.#scopes.size >= idleScopesKept) this.#forgetIdle()
    const scope = new Scope(ownCopy(address.tenant), this.#idleTurns)
    this.#scopes.set(ownCopy(address.id), scope)
    for (const { tenant, latecomers } of this.#tenantClears) {
      if (tenant !== address.tenant) continue
      scope.bar(new Barrier(1, () => {}))
      latecomers.push(scope)
    }
    return scope
  }

  /** Runs `work` alone in one namespace. */
  async aloneIn<T>(address: Address, work: () => Promise<T>): Promise<T> {
    return this.#alone([this.scopeOf(address)], work)
  }

  /** Runs `work` alone in all namespaces of a tenant. Its own address, with the namespace '', puts the clears in order. */
  async aloneInTenant<T>(tenant: Address, work: () => Promise<T>): Promise<T> {
    const own = this.scopeOf(tenant)
    const others = [...this.#scopes.values()].filter((scope) => scope.tenant === tenant.tenant && scope !== own)
    const clear = { tenant: tenant.tenant, latecomers: [] as Scope[] }
    this.#tenantClears.add(clear)
    try {
      return await this.#alone([own, ...others], work)
    } finally {
      this.#tenantClears.delete(clear)
      for (const scope of clear.latecomers) scope.unbar()
    }
  }

  async #alone<T>(scopes: readonly Scope[], work: () => Promise<T>): Promise<T> {
    await new Promise<void>((open) => {
      const barrier = new Barrier(scopes.length, open)
      for (const scope of scopes) scope.bar(barrier)
    })
    try {
      return await work()
    } finally {
      for (const scope of scopes) scope.unbar()
    }
  }

  #forgetIdle(): void {
    for (const [id, scope] of this.#scopes) {
      if (!scope.isIdle) continue
      scope.forgetIdleTurns()
      this.#scopes.delete(id)
    }
  }
}
