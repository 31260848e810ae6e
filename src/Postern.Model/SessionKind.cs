namespace Postern.Model;

/// <summary>Where a session lives; the numbers are stored.</summary>
public enum SessionKind
{
    /// <summary>The portal, top-level: a person who signed in at Postern itself.</summary>
    Portal = 0,

    /// <summary>A frame in a host application's page: one workbook and nothing else.</summary>
    Frame = 1,
}
