import type { Context, Hono } from 'hono'

export declare const app: Hono
export declare const c: Context
