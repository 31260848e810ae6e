namespace Postern.Gateway.Workbooks;

internal static class WorkbookReader
{
    public static WorkbookReport<Workbook> Read(string text) => WorkbookReport<Workbook>.Failed([new("", text, "")]);
}
