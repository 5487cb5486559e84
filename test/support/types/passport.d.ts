/** What the tests use of passport, which has no types of its own. */
declare module 'passport' {
  import type { RequestHandler } from 'express'

  export class Passport {
    use(strategy: object): this
    serializeUser(serialize: (user: unknown, done: (error: unknown, id?: unknown) => void) => void): void
    deserializeUser(deserialize: (id: unknown, done: (error: unknown, user?: unknown) => void) => void): void
    session(): RequestHandler
    authenticate(strategy: string, options: { keepSessionInfo?: boolean }): RequestHandler
  }
  const passport: { Passport: typeof Passport }
  export default passport
}

declare module 'passport-local' {
  export class Strategy {
    constructor(
      options: { usernameField?: string },
      verify: (name: string, password: string, done: (error: unknown, user?: unknown) => void) => void,
    )
  }
}

declare namespace Express {
  interface Request {
    logout(options: { keepSessionInfo?: boolean }, done: (error?: unknown) => void): void
  }
}
